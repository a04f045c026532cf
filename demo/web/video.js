// The tab Video: takes a video (file, drop, camera), sends it to the server, and plays the visitor's own copy of it with
// boxes over the very frame that is shown. The timeline grows while the server reads.
//
// Why not gr.Video: it sends the file back to be played, which must then outlive the answer on the server.
//
// States (data-state of the root): empty, asking, recording, sending, waiting, reading, done, refused, lost. data-faces
// says what the cards show: some, nobody, unknown.
//
// Gradio runs this once, with: element (the component's root), server (its functions), props. Before it come ask.js,
// camera.js, words.js (percent), overlay.js (drawFrame), numbers.js (asCsv), saving.js, giving.js (takeFiles, isVideo, isPicture),
// moments.js, seek.js (seeking), person.js (personCards), sending.js (sending), filming.js (filming).

const root = element.querySelector(".video");
const find = (selector) => root.querySelector(selector);
const [player, view, status, choose, cancel] = [".player", ".view", ".status", ".choose", ".cancel"].map(find);
const [bar, left] = find(".way").children;
const [drawButton, told] = [".draw", ".said"].map(find);

const PRIVACY = "Your video is sent to the server of this page, read there, and deleted when you leave, or ten minutes after the last of it was asked for.";
const AT_WORK = ["sending", "waiting", "reading"];
const WITH_FILM = [...AT_WORK, "done", "lost"];

let name = "video"; // of the file, without its ending
let file; // what was given
let report = {}; // as the API gives it: head, moments, timeline
let duration = 0; // seconds, as far as it is known
let began; // {at, time}: when reading began, for how long it will take

const state = () => root.dataset.state;
const cards = personCards(root);
const course = seeking(root, { tones: props.tones, step: props.step, seek: goTo });
const sender = sending(server, hear);

function show(next, message) {
  const focused = document.activeElement;
  root.dataset.state = next;
  if (next !== "done") root.dataset.faces = "unknown";
  status.textContent = message;
  status.classList.toggle("problem", ["refused", "lost"].includes(next));
  choose.textContent = WITH_FILM.includes(next) ? "Another video" : "Choose a video";
  cancel.textContent = next === "recording" ? "Throw it away" : "Cancel";
  if (focused !== document.body && root.contains(focused) && !focused.checkVisibility({ visibilityProperty: true })) choose.focus();
}

function leave(next = "empty", message = PRIVACY) {
  letGo();
  sender.end();
  forget();
  show(next, message);
}

// The video that was there, and all that was read of it.
function forget() {
  if (player.src) URL.revokeObjectURL(player.src);
  player.removeAttribute("src");
  player.load();
  [report, duration, began, file] = [{ moments: [] }, 0, undefined, undefined];
  root.classList.remove("unplayable");
  player.controls = false;
  told.textContent = "";
  cards.clear();
  course.draw([], 0);
  redraw();
}

// A video is given.

async function give(given) {
  leave("sending", "Looking into the video…");
  [file, name] = [given, given.name?.replace(/\.[^.]+$/, "") || "video"];
  way(0);
  if (given.size > props.max_bytes) {
    leave("refused", `This video has ${Math.round(given.size / 1e6)} MB, and at most ${props.max_bytes / 1e6} MB are read: cut it or make it smaller, and try again.`);
    return;
  }
  player.src = URL.createObjectURL(given);
  const plays = await opened();
  if (file !== given) return; // another one was given meanwhile
  root.classList.toggle("unplayable", !plays);
  player.controls = plays;
  if (plays) {
    duration = player.duration;
    const [width, height] = [player.videoWidth, player.videoHeight];
    find(".stage").style.aspectRatio = String(Math.min(16 / 9, Math.max(3 / 4, width / height)));
    if (duration > props.max_seconds + 1) {
      leave("refused", `This video lasts ${(duration / 60).toFixed(1)} minutes, and at most ${props.max_seconds / 60} are read: cut it and try again.`);
      return;
    }
  }
  course.draw([], duration);
  sender.start(given);
}

// Whether the browser plays it. What browsers record says no length: it is known once the end was looked for.
async function opened() {
  const first = await happens("loadedmetadata", "error");
  if (first === "error" || !player.videoWidth) return false;
  if (player.duration === Infinity) {
    player.currentTime = 1e7;
    await happens("durationchange");
    player.currentTime = 0;
  }
  return true;
}

function happens(...events) {
  return new Promise((settled) => {
    const heard = ({ type }) => {
      for (const event of events) player.removeEventListener(event, heard);
      settled(type);
    };
    for (const event of events) player.addEventListener(event, heard);
  });
}

// What the server says.

function hear({ sent, of, answer, trouble, refused, lost, gone }) {
  if (gone) {
    if (state() === "done") told.textContent = "The server has let this video go: give it again for the annotated one.";
    else leave("refused", "The server has let this video go: please give it again.");
  } else if (refused) leave("refused", refused);
  else if (lost) show("lost", "The server is busy or cannot be reached. Your video is kept here: try again in a moment.");
  else if (trouble) status.textContent = "The server does not answer. Trying again…";
  else if (answer) accept(answer);
  else {
    const [some, all] = [sent, of].map((bytes) => (bytes / 1e6).toFixed(1));
    if (state() !== "sending" || sent === 0) show("sending", PRIVACY);
    way(sent / of, sent < of ? `${some} of ${all} MB sent` : "Sent");
  }
}

function accept(answer) {
  report.moments.push(...answer.moments);
  if (answer.head) report = { ...answer.head, ...report };
  const last = report.moments.at(-1)?.time ?? 0;
  duration = Math.max(Number.isFinite(duration) ? duration : 0, last);
  drawn(answer.drawn);
  if (answer.state === "refused") leave("refused", answer.problem);
  else if (answer.state === "waiting") wait(answer.ahead);
  else if (answer.state === "reading") follow(last);
  else if (state() !== "done") finish(answer);
  if (answer.moments.length && state() !== "done") course.draw(rowsOfMoments(report.moments), duration);
  redraw();
}

function wait(ahead) {
  const next = ahead ? `, and ${ahead === 1 ? "one more waits" : `${ahead} more wait`} before yours.` : ": yours is next.";
  const words = `Other videos are read at the moment${next}`;
  if (state() !== "waiting" || status.textContent !== words) show("waiting", words);
  way(undefined, "");
}

function follow(last) {
  if (state() !== "reading") show("reading", PRIVACY);
  began ??= { at: performance.now(), time: last };
  const pace = (last - began.time) / (performance.now() - began.at); // seconds a ms
  const rest = pace > 0 && duration ? (duration - last) / pace / 1000 : undefined;
  const more = rest === undefined ? "" : rest > 90 ? `, about ${Math.round(rest / 60)} minutes left` : `, about ${Math.max(1, Math.round(rest))} s left`;
  way(duration ? last / duration : undefined, `${clock(last)} of ${duration ? clock(duration) : "?"} read${more}`);
}

function finish({ timeline, problem }) {
  Object.assign(report, { duration, every: props.step, problem, timeline });
  const { people } = timeline;
  const count = people.length === 1 ? "1 person" : `${people.length} people`;
  const found = people.length ? `${count} in ${clock(duration)}.` : "No face was found in this video.";
  cards.show(timeline);
  course.draw(rowsOfTimeline(timeline), duration);
  show("done", problem ? `${found} ${problem}` : found);
  root.dataset.faces = people.length ? "some" : "nobody";
}

// How far it is; undefined where that is not known.
function way(share, words = "") {
  if (share === undefined) bar.removeAttribute("value");
  else bar.value = share;
  left.textContent = words;
}

// The player, and the boxes over what it shows.

function goTo(time) {
  if (!root.classList.contains("unplayable")) player.currentTime = time;
  redraw(time);
}

// time: of the frame that is shown, as the browser tells it; a player's own time may be that of the next one.
function redraw(time = player.currentTime) {
  const [width, height] = [report.image?.width ?? player.videoWidth, report.image?.height ?? player.videoHeight];
  const faces = facesAt(report.moments ?? [], time);
  const shown = Boolean(width) && !root.classList.contains("unplayable") && !player.srcObject;
  if (shown) drawFrame(view, { width, height }, faces, { tones: props.tones, doubt: props.doubt, over: true });
  else view.getContext("2d").clearRect(0, 0, view.width, view.height);
  cards.at(time, faces, shown && player.readyState >= 2 ? player : undefined);
  course.at(time);
}

function watchFrames() {
  if (player.requestVideoFrameCallback) {
    player.requestVideoFrameCallback((now, { mediaTime }) => {
      redraw(mediaTime);
      watchFrames();
    });
  } else {
    requestAnimationFrame(() => {
      if (!player.paused) redraw();
      watchFrames();
    });
    player.addEventListener("seeked", () => redraw());
  }
}

// What is taken away.

function saved(kind) {
  const text = kind === "csv" ? asCsv(tableOfMoments(report)) : `${JSON.stringify(report, null, 1)}\n`;
  saveAs(new Blob([text], { type: kind === "csv" ? "text/csv" : "application/json" }), `${name}-emotions.${kind}`);
  told.textContent = "Saved";
}

let wanted = false; // whether the annotated video is to be saved once it is there

function drawn(how) {
  drawButton.setAttribute("aria-disabled", typeof how === "number");
  if (!wanted || how === null) return;
  if (typeof how === "number") told.textContent = `Drawing: ${percent(duration ? Math.min(1, how / duration) : 0)}`;
  else if (how === true) {
    const link = document.createElement("a");
    [link.href, link.download] = [sender.copy(), `${name}-emotions.mp4`];
    link.click();
    told.textContent = "Saved";
  } else told.textContent = how;
  wanted = typeof how === "number";
}

for (const button of root.querySelectorAll(".take [data-save]")) button.addEventListener("click", () => saved(button.dataset.save));
drawButton.addEventListener("click", () => {
  if (drawButton.getAttribute("aria-disabled") === "true") return;
  wanted = true;
  told.textContent = "Drawing…";
  sender.draw();
});

// What visitors do.

const letGo = filming(root, { most: props.max_seconds, show, give });
takeFiles(root, (files, chosenIn) => {
  // Of what was chosen here also kinds that are not known: the server says what it thinks of them.
  const video = files.find(isVideo) ?? (chosenIn === root ? files.find((file) => !isPicture(file)) : undefined);
  if (!video) return;
  if (root.offsetParent === null) openTab("Video"); // dropped on another tab
  give(video);
});
choose.addEventListener("click", () => find(".file").click());
cancel.addEventListener("click", () => leave());
find(".again").addEventListener("click", () => give(file));
addEventListener("pageshow", ({ persisted }) => persisted && AT_WORK.includes(state()) && leave("refused", "This page was left, so the video was let go: please give it again."));

// Another tab of the page was chosen, so nobody watches; or the window has another size.
new ResizeObserver(() => {
  if (root.offsetParent !== null) redraw();
  else if (["asking", "recording"].includes(state())) leave();
  else player.pause();
}).observe(root);

leave();
watchFrames();
