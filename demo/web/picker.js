// The tab Picture: takes pictures (files, drop, paste, camera, example), shows each at once, asks about it, and draws the
// answer over it. Pictures that are given together are asked about one after the other.
//
// Why not gr.Image: it uploads each picture into a file and shows the copy that the server gives back, so the file must
// outlive the answer. Here the picture travels inside the question, and nothing is written anywhere.
//
// States (data-state of the root): empty, asking, camera, and those of the picture that is shown: waiting, working, done,
// refused, lost (the server cannot be reached; the picture stays, to be tried again). data-faces says what the cards show:
// some, nobody, unknown.
//
// Gradio runs this once, with: element (the component's root), props. Before it come the other scripts of PICTURE in
// parts.py: opened.js (whyUnread), shrink.js (shrunk), pictures.js (askAbout, whenAnswered), numbers.js, results.js (showing), take.js (takeAway),
// giving.js (takeFiles), shot.js (cameraShots), gallery.js (gallery).

const root = element.querySelector(".picker");
const find = (selector) => root.querySelector(selector);
const [view, status, choose] = [".view", ".status", ".choose"].map(find);
const options = { tones: props.tones, doubt: props.doubt };
const shown = showing(root, options);
const PRIVACY = status.textContent; // what the empty page says
const UNREACHABLE = "The server is busy or cannot be reached. Your picture is kept here: try again in a moment.";
const SLOW = 4000; // ms without an answer, after which it is looked whether there still is a server
const MOST = 100; // pictures that are taken together

let visit = 0; // counts what visitors ask for: pictures, the camera, neither; what an older wish brings is not taken
let requests = 0; // counts questions
let waiting; // timer while an answer is awaited
// The pictures that were given together: {name, state, message} and, as far as they are there, file, frame (what is drawn,
// of several only for the one that is shown: each has megabytes), source (what frame is made of), width and height (of the
// original), question, request, where (who was asked), report, looks.
let items = [];
let current; // the one that is shown

function show(state, message) {
  const focused = document.activeElement;
  if (state !== "camera") letGo();
  root.dataset.state = state;
  if (state !== "done") root.dataset.faces = "unknown";
  status.textContent = message;
  status.classList.toggle("problem", ["refused", "lost"].includes(state));
  choose.textContent = ["done", "lost"].includes(state) ? "Another picture" : "Choose a picture";
  if (["empty", "asking", "camera", "refused"].includes(state)) shown.clear();
  if (state === "camera") inSight();
  strip(items, current);
  // A button that goes away leaves the keyboard's focus to the one that stays.
  if (root.contains(focused) && !focused.checkVisibility({ visibilityProperty: true })) choose.focus();
}

// On a phone what was pressed may be far below.
function inSight() {
  find(".stage").scrollIntoView({ block: "nearest" });
}

// The page without a picture, or with the camera's.
function leave(state = "empty", message = PRIVACY) {
  [items, current] = [[], undefined];
  clearTimeout(waiting);
  show(state, message);
  tellReader(undefined);
}

function begin() {
  visit += 1;
  return visit;
}

// A picture as it is now.
function present(item) {
  if (current && current !== item) current.frame = undefined;
  current = item;
  show(item.state, item.message);
  tellReader(item.where);
  view.setAttribute("aria-label", item.state === "done" ? item.message : "The picture that is being read");
  if (item.state === "done") {
    root.dataset.faces = item.report.faces.length ? "some" : "nobody";
    find(".as-json pre").textContent = asJson([item]);
    find(".table-frame").replaceChildren(...(item.report.faces.length ? [tableElement(item.report)] : []));
  }
  if (item.frame && item.state !== "refused") shown.show(item.frame, facesIn(item), item.looks);
  else shown.clear();
  if (item.source && !item.frame) reframe(item);
}

async function reframe(item) {
  const frame = await fetched(item.source);
  if (item !== current) return;
  item.frame = frame;
  present(item);
}

// The faces of a picture, if they were found, with their numbers, in pixels of what is drawn.
function facesIn({ report, frame }) {
  return report ? numbered(rescaled(report, frame.width, frame.height).faces) : [];
}

function change(item, state, message) {
  Object.assign(item, { state, message });
  if (item === current) present(item);
  else strip(items, current);
}

// Pictures that come together take the place of those before.
function take(together) {
  [items, current] = [together, undefined];
  present(items[0]);
  inSight();
  readAll(begin());
}

async function readAll(mine) {
  for (const item of items) {
    if (["done", "refused"].includes(item.state)) continue;
    await prepare(item);
    if (mine !== visit) return;
    if (item.state === "refused") continue;
    await read(item);
    if (mine !== visit || item.state === "lost") return;
    if (item !== current) item.frame = undefined;
  }
}

// What travels of a file: as little of it as reading its faces allows, or all of it where this browser cannot decode it.
async function prepare(item) {
  if (item.question) return;
  try {
    const small = await shrunk(item.file, props.opening);
    const why = small?.refused ?? (small ? undefined : await undecoded(item.file));
    if (why) {
      change(item, "refused", why);
      return;
    }
    item.question = { picture: await asDataUri(small?.blob ?? item.file), shown: !small };
    Object.assign(item, { ...small, source: small && item.question.picture, file: undefined });
  } catch {
    change(item, "refused", "The browser could not read this file.");
  }
}

// Why a file that this browser cannot decode is not read; undefined where the server may know it.
async function undecoded(file) {
  if (!trigger && isVideo(file)) return "This is a video, and only the page with a server reads videos.";
  if (!trigger) return whyUnread(new Uint8Array(await file.arrayBuffer()), props.opening);
  if (file.size <= props.max_bytes) return undefined;
  return `This file has ${Math.round(file.size / 1e6)} MB and is of a kind that this browser cannot make smaller; at most ${props.max_bytes / 1e6} MB are read.`;
}

// Ends when the question is answered, or given up.
function read(item) {
  item.request = requests += 1;
  change(item, "working", "Looking for faces…");
  clearTimeout(waiting);
  const asking = (where) => {
    item.where = where;
    if (item === current) tellReader(where);
    if (["server", "sent"].includes(where)) waiting = setTimeout(() => checkServer(item), SLOW);
  };
  return new Promise((settled) => {
    item.settled = settled;
    const { request, frame } = item;
    askAbout({ picture: null, example: null, shown: false, ...item.question, request, frame }, asking);
  });
}

// A connection that is gone raises no event in Gradio.
async function checkServer(item) {
  // A proxy answers too where there is no server behind it.
  const reached = await fetch(location.href, { method: "HEAD", cache: "no-store" }).then(({ ok }) => ok, () => false);
  if (item.state !== "working") return;
  if (reached) change(item, "working", "Still working: others may be ahead of you.");
  else lose(item);
}

function lose(item) {
  change(item, "lost", UNREACHABLE);
  item.settled();
}

// What came of a question, or that nothing did: that is taken for the newest; if it was an older one that failed, the
// newest's answer still comes and takes the refusal's place.
whenAnswered(async (answer) => {
  const item = items.find(({ state, request }) => (answer ? request === answer.request : state === "working"));
  if (!item) return;
  if (!answer) lose(item);
  else if (answer.state === "refused") change(item, "refused", answer.message);
  else await found(item, answer);
  item.settled();
});

async function found(item, { report, looks, picture }) {
  const { width = report.image.width, height = report.image.height } = item;
  if (picture) Object.assign(item, { source: picture, frame: await fetched(picture) });
  Object.assign(item, { looks, report: rescaled(report, width, height) });
  change(item, "done", report.faces.length ? sentence(report.faces) : "No face was found in this picture.");
}

// A picture that the server gave, as one to draw.
async function fetched(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return resized(image, 1);
}

// Gradio loads the page again when a server that was gone is back: what was to be tried again is kept over that, by this
// browser and for this tab alone.
const KEPT = "picture that was not answered";

addEventListener("pagehide", () => {
  if (root.dataset.state !== "lost") return;
  const { name, width, height, source, question } = current;
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ name, width, height, source, question }));
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error; // what the browser could not make smaller
  }
});

function takeKept() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT));
  sessionStorage.removeItem(KEPT);
  if (!kept) return;
  items = [{ ...kept, state: "lost", message: "The connection was lost and is back: your picture was kept. Try again." }];
  present(items[0]);
}

function give(all, chosenIn) {
  const others = document.querySelector(".video"); // that tab takes them
  const theirs = (file) => others && (isVideo(file) || (others === chosenIn && !isPicture(file)));
  const files = all.filter((file) => !theirs(file));
  if (!files.length) return;
  if (root.offsetParent === null) document.querySelector("#tabs [role=tab]").click(); // pasted on another tab
  const taken = files.slice(0, MOST).map((file) => {
    // What a camera or the clipboard gives has no name.
    return { name: file.name?.replace(/\.[^.]+$/, "") || "picture", file, state: "waiting", message: "Making it smaller…" };
  });
  take(taken);
  find(".too-many").textContent = files.length > MOST ? `Of ${files.length} files the first ${MOST} are read.` : "";
}

const strip = gallery(root, present);
const letGo = cameraShots(root, {
  begin,
  begun: () => visit,
  show: leave,
  leave: () => {
    begin();
    leave();
  },
  give: (blob) => give([blob]),
});
takeFiles(root, give);
takeAway(root, options, { current: () => ({ ...current, faces: facesIn(current) }), all: () => items });
// The reader's files arrive while a visitor looks for a picture.
root.addEventListener("click", ({ target }) => target.closest(".example") || reader.ready());
document.addEventListener("dragenter", () => reader.ready());
choose.addEventListener("click", () => find(".file").click());
find(".again").addEventListener("click", () => readAll(begin()));
for (const button of root.querySelectorAll(".example")) {
  button.addEventListener("click", async () => {
    const { name, file } = button.dataset;
    if (file) {
      const mine = begin();
      const example = await (await fetch(file)).blob();
      if (mine === visit) take([{ name, file: example, state: "waiting", message: "Looking for faces…" }]);
      return;
    }
    const frame = resized(button.querySelector("img"), 1);
    take([{ name, frame, question: { example: name }, state: "waiting", message: "Looking for faces…" }]);
  });
}
takeKept();
