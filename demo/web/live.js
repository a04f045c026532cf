// The live page: takes the camera, asks about one frame at a time, draws the answer on that very frame. Who answers, this
// device or the server, is the business of reading.js.
//
// Why not gr.Image(streaming=True): it writes every frame into a file and manages a few a second. Here a frame travels
// inside a call, the newest one wins, and what the reader must remember travels with it and comes back.
//
// States (data-state of the root): idle, asking, watching, paused, problem. While watching, data-server says how the
// server is: fine, crowded or lost. Events: "begun", "answered" with faces and times, "ended".
//
// Gradio runs this once, with: element (the component's root), server (its functions), props. Before it come ask.js,
// reading.js (reading, tellWho, pixelsOf), camera.js (noCamera, refusal, stopTracks, UNPLUGGED), words.js (sentence), overlay.js
// (drawFrame), cards.js (newCard, fillCard), why.js (explainable), timeline.js and recording.js.

const root = element.querySelector(".live");
const find = (selector) => root.querySelector(selector);
const [video, view, status, spoken, badge] = [".source", ".view", ".status", ".spoken", ".badge"].map(find);
const [go, stopButton, otherButton] = [".go", ".stop", ".other-camera"].map(find);
const [smooth, mirror] = [".smooth input", ".mirror input"].map(find);
const [cards, blank] = [".cards", "template"].map(find);

const LONGEST = 640; // pixels of the longer side of a frame that is sent
const QUALITY = 0.8; // of its JPEG
const KEEP = 1000; // ms for which the card of a face that is gone stays, so that a blink does not move the page
const SPEAK = 4000; // ms between two sentences for screen readers

const PRIVACY = "Frames are read in memory and not stored.";
const LIMIT = 3; // frames in a row that may be refused
const REST = 60000; // ms of pause after which the camera is let go

let grab = document.createElement("canvas"); // the frame that is under way
let still = document.createElement("canvas"); // the frame that is shown, to which the faces belong
let cameras = []; // device ids
let wanted = { facingMode: "user" }; // the camera, as getUserMedia takes it
let rest; // timer of a pause
let memory = null; // what the reader wants to see again with the next frame
let visit = 0; // counts starts and stops; a loop of an older one ends
let shown = []; // the faces on the canvas
let mirrorChosen = false; // by the visitor, else it follows the camera
let answers = []; // {at, latency} of the last seconds

const reader = reading({ folder: props.device, served: Boolean(server.read_frame), changed: () => tellWho(find(".who"), reader) });
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
const state = () => root.dataset.state;

function show(next, message = "") {
  const focused = document.activeElement;
  root.dataset.state = next;
  status.textContent = message;
  status.classList.toggle("problem", next === "problem");
  go.textContent = { watching: "Pause", paused: "Go on" }[next] ?? find(".start .invite-title").textContent;
  go.setAttribute("aria-disabled", next === "asking"); // not disabled: that would take the keyboard's focus from it
  badge.textContent = next === "paused" ? "Paused" : "";
  if (next !== "watching") root.dataset.server = "fine";
  // A button that goes away leaves the keyboard's focus to the one that stays.
  if (root.contains(focused) && !focused.checkVisibility({ visibilityProperty: true })) go.focus();
}

function serverIs(how) {
  if (root.dataset.server === how) return;
  root.dataset.server = how;
  if (how === "lost") for (const gauge of [".rate", ".latency"]) find(gauge).textContent = "–";
  status.classList.toggle("problem", how === "lost");
  status.textContent = {
    fine: PRIVACY,
    crowded: "Many are watching at the moment: frames are slow until some have left.",
    lost: "The server does not answer. Trying again…",
  }[how];
}

// The camera.

async function start(camera = wanted) {
  if (noCamera()) {
    document.querySelector("#tabs [role=tab]").click(); // pictures can be given
    return;
  }
  const mine = (visit += 1);
  wanted = camera;
  release();
  reader.ready(); // its files arrive while the visitor thinks about the camera
  show("asking", "Allow the camera where the browser asks for it.");
  try {
    const size = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: { ...camera, ...size } });
    if (mine !== visit) {
      stopTracks(stream);
      return;
    }
    video.srcObject = stream;
    await video.play();
    const devices = await navigator.mediaDevices.enumerateDevices();
    cameras = devices.filter(({ kind }) => kind === "videoinput").map(({ deviceId }) => deviceId);
  } catch (error) {
    if (mine === visit) lose(refusal(error));
    return;
  }
  if (mine !== visit) return;
  const [track] = video.srcObject.getVideoTracks();
  track.addEventListener("ended", () => {
    if (video.srcObject?.getVideoTracks()[0] === track) lose(UNPLUGGED);
  });
  if (!mirrorChosen) mirror.checked = track.getSettings().facingMode !== "environment";
  otherButton.classList.toggle("offered", cameras.length > 1);
  // The stage takes the shape of the picture once, before the first frame, and keeps it.
  const shape = Math.min(16 / 9, Math.max(3 / 4, video.videoWidth / video.videoHeight));
  find(".stage").style.aspectRatio = String(shape);
  memory = null;
  root.dispatchEvent(new Event("begun"));
  watchOn();
  if (document.hidden) hide(); // since it was asked for
}

function release() {
  stopTracks(video.srcObject);
  video.srcObject = null;
}

function end(next = "idle", message = PRIVACY) {
  visit += 1;
  clearTimeout(rest);
  release();
  show(next, message);
  forget();
  root.dispatchEvent(new Event("ended"));
}

// The next start takes any camera: this one may not come back, and without it there is no button for another.
function lose(message) {
  wanted = { facingMode: "user" };
  end("problem", message);
}

function forget() {
  memory = null;
  answers = [];
  shown = [];
  for (const card of [...cards.children]) card.remove();
  people(0);
  spoken.textContent = "";
  for (const gauge of [".rate", ".latency", ".count"]) find(gauge).textContent = "–";
  view.getContext("2d").clearRect(0, 0, view.width, view.height);
}

function otherCamera() {
  mirrorChosen = false;
  const current = video.srcObject?.getVideoTracks()[0]?.getSettings().deviceId;
  start({ deviceId: { exact: cameras[(cameras.indexOf(current) + 1) % cameras.length] } });
}

// The loop: one frame under way, and the newest wins.

function watchOn() {
  clearTimeout(rest);
  if (!video.srcObject) {
    start(); // it was let go in a long pause
    return;
  }
  for (const card of cards.children) card.dispatchEvent(new Event("changed"));
  show("watching", PRIVACY);
  const mine = (visit += 1);
  loop(mine).catch((error) => {
    console.error(error);
    if (mine === visit) end("problem", "This page no longer understands the server, which may be another one now: please reload it.");
  });
}

function pause(message = "Paused.") {
  if (state() !== "watching") return;
  visit += 1;
  show("paused", message);
  rest = setTimeout(release, REST);
}

// A page that nobody sees does not hold the camera.
function hide() {
  asleep = true;
  pause("Paused while this page was hidden.");
  release();
}

async function loop(mine) {
  await reader.ready();
  if (mine !== visit) return;
  if (reader.where === "nobody") {
    end("problem", `This browser cannot read pictures (${reader.why}): open this page in another one.`);
    return;
  }
  let wait = 500; // ms until a server that does not answer is asked again
  let seen = -1; // the last frame of the video that was taken
  let refused = 0; // frames in a row
  while (mine === visit) {
    if (video.currentTime === seen || video.readyState < 2) {
      await new Promise(requestAnimationFrame);
      continue;
    }
    seen = video.currentTime;
    const taken = performance.now();
    const frame = encode();
    const sent = performance.now();
    const answer = await read(frame, { time: taken / 1000, smoothing: Number(smooth.value), memory });
    const arrived = performance.now();
    if (mine !== visit) return;
    if (answer === undefined) {
      serverIs("lost");
      await sleep(wait);
      wait = Math.min(4000, 2 * wait);
      continue;
    }
    wait = 500;
    if (answer.faces) accept(answer, { taken, sent, arrived });
    refused = answer.refused ? refused + 1 : 0;
    if (refused) memory = null; // it may be the memory: without it, the next frame is a first one
    if (refused === LIMIT) {
      end("problem", answer.refused);
      return;
    }
    serverIs(answer.wait ? "crowded" : "fine");
    // Not all at once: those who were asked to wait would meet again.
    if (answer.wait) await sleep(1000 * answer.wait * (0.5 + Math.random()));
  }
}

function encode() {
  const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
  const [width, height] = [Math.round(scale * video.videoWidth), Math.round(scale * video.videoHeight)];
  if (grab.width !== width || grab.height !== height) [grab.width, grab.height] = [width, height];
  // Kept where it can be read: its pixels are wanted each time. At this size toDataURL takes half as long as toBlob.
  grab.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, width, height);
  return reader.where === "device" ? pixelsOf(grab) : grab.toDataURL("image/jpeg", QUALITY);
}

// {} where the device has given up: the next frame is the server's.
async function read(frame, asked) {
  if (typeof frame === "string") return ask(server.read_frame, { frame, ...asked });
  return (await reader.answer(frame, asked)) ?? {};
}

function accept(answer, { taken, sent, arrived }) {
  memory = answer.memory;
  shown = answer.faces;
  [grab, still] = [still, grab];
  draw();
  const now = performance.now();
  answers = [...answers.filter(({ at }) => now - at < 2000), { at: now, latency: now - taken }];
  gauges(now);
  fill(now);
  speak(now);
  const ms = { ...answer.ms, encode: sent - taken, call: arrived - sent, total: performance.now() - taken };
  root.dispatchEvent(new CustomEvent("answered", { detail: { faces: shown, ms, at: now } }));
}

function draw() {
  root.classList.toggle("mirrored", mirror.checked);
  if (still.width && state() !== "idle") drawFrame(view, still, shown, { mirror: mirror.checked, tones: props.tones, doubt: props.doubt });
}

function gauges(now) {
  const span = Math.max(0.25, (now - answers[0].at) / 1000);
  const sorted = answers.map(({ latency }) => latency).sort((a, b) => a - b);
  find(".rate").textContent = answers.length > 1 ? ((answers.length - 1) / span).toFixed(0) : "–";
  find(".latency").textContent = `${Math.round(sorted[sorted.length >> 1])} ms`;
  find(".count").textContent = String(shown.length);
}

// One card a person, in the order of their numbers. Only texts and widths change from frame to frame.

function fill(now) {
  for (const face of shown) {
    const card = cardOf(face.number);
    card.dataset.seen = now;
    fillCard(card, face, still, props.doubt);
  }
  for (const card of [...cards.children]) {
    const gone = now - Number(card.dataset.seen);
    card.classList.toggle("gone", gone > 0);
    if (gone <= KEEP) continue;
    if (card.contains(document.activeElement)) go.focus(); // else the keyboard would have to begin at the top
    card.remove();
  }
  people(cards.children.length);
}

function cardOf(number) {
  const known = [...cards.children].find((card) => Number(card.dataset.number) === number);
  if (known) return known;
  const card = newCard(blank, number);
  explainable(card, () => {
    const face = shown.find((each) => each.number === number);
    if (face) pause("Paused, so that the face stays the one that is explained.");
    const address = () => still.toDataURL("image/jpeg", QUALITY);
    return face && { picture: still, address, box: face.crop_box, roll: face.crop_roll, label: face.label };
  }, reader, "this one frame is");
  const next = [...cards.children].find((other) => Number(other.dataset.number) > number);
  cards.insertBefore(card, next ?? null);
  return card;
}

// What the result side shows: people, nobody, or that there is nothing yet.
function people(count) {
  root.dataset.faces = count ? "some" : state() === "watching" || state() === "paused" ? "nobody" : "unknown";
}

// Screen readers get a sentence when something has changed, not twenty a second.
let spokenAt = 0;
function speak(now) {
  const known = [...shown].sort((one, other) => one.number - other.number); // the largest is another one each second
  const told = known.length ? sentence(known) : "No face in sight.";
  if (now - spokenAt < SPEAK || told === spoken.textContent) return;
  spokenAt = now;
  spoken.textContent = told;
}

// What visitors do.

find(".start").addEventListener("click", () => start());
go.addEventListener("click", () => {
  if (state() === "watching") pause();
  else if (state() === "paused") watchOn();
  else if (state() !== "asking") start();
});
stopButton.addEventListener("click", () => end());
otherButton.addEventListener("click", otherCamera);
smooth.addEventListener("input", () => {
  find(".smooth output").textContent = `${Number(smooth.value).toFixed(1)} s`;
  smooth.setAttribute("aria-valuetext", `${Number(smooth.value).toFixed(1)} seconds`);
});
mirror.addEventListener("change", () => {
  mirrorChosen = true;
  draw();
});

let asleep = false; // paused by the page being hidden, not by the visitor
document.addEventListener("visibilitychange", () => {
  if (document.hidden && state() === "watching") hide();
  else if (!document.hidden && asleep) {
    asleep = false;
    if (state() === "paused") watchOn();
  }
});

// Another tab of the page was chosen, so the camera is not needed; or the window has another size.
new ResizeObserver(() => {
  if (root.offsetParent === null) {
    if (state() !== "idle" && state() !== "problem") end();
  } else draw();
}).observe(root);

timeline(root, { tones: props.tones });
recording(root);
end();
if (noCamera()) {
  find(".start .invite-title").textContent = "Give a picture instead";
  find(".start .invite-sub").textContent = "";
  show("problem", noCamera());
}
