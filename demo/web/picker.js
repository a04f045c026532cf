// Takes one picture (file, drop, paste, camera, example), shows it at once and hands it to the server as an event.
//
// Why not gr.Image: it uploads each picture into a file and shows the copy that the server gives back, so the file must
// outlive the answer. Here the picture travels inside the event, and nothing is written anywhere.
//
// States (data-state of the root and of #photo): empty, asking, camera, working, done, refused. Faces and numbers are
// components of their own, which take what the root holds as "results" when the event of that name comes: written by the
// answers themselves, they would be those of the answer that came last, not of the picture that is shown.
//
// Gradio runs this once, with: element (the component's root), trigger (sends an event), props, watch (a new value).
// Before it comes camera.js (noCamera, refusal, stopTracks, UNPLUGGED).

const root = element.querySelector(".picker");
const find = (selector) => root.querySelector(selector);
const [file, shown, camera, status, choose] = [".file", ".shown", ".camera", ".status", ".choose"].map(find);
const page = document.querySelector("#photo");
const PRIVACY = status.textContent; // what the empty page says
const UNREACHABLE = "The server is busy or cannot be reached: please try again in a moment.";
const SLOW = 4000; // ms without an answer, after which it is looked whether there still is a server

let request = 0; // counts what visitors ask for: a picture, the camera, neither; an answer to an older one is not taken
let waiting; // timer while an answer is awaited
let preview; // object URL of the picture shown while it is read

function show(state, message, results = props.nothing) {
  const focused = document.activeElement;
  if (state !== "camera") stopCamera();
  root.dataset.state = page.dataset.state = state;
  status.textContent = message;
  status.classList.toggle("problem", state === "refused");
  choose.textContent = state === "done" ? "Another picture" : "Choose a picture";
  clearTimeout(waiting);
  if (state === "working") waiting = setTimeout(checkServer, SLOW);
  else if (root.results !== results) {
    root.results = results;
    trigger("results");
  }
  // A button that goes away leaves the keyboard's focus to the one that stays.
  if (root.contains(focused) && !focused.checkVisibility({ visibilityProperty: true })) choose.focus();
}

// A connection that is gone raises no event in Gradio.
async function checkServer() {
  const asked = request;
  // A proxy answers too where there is no server behind it.
  const reached = await fetch(location.href, { method: "HEAD", cache: "no-store" }).then(({ ok }) => ok, () => false);
  if (asked !== request || root.dataset.state !== "working") return;
  show(...(reached ? ["working", "Still working: others may be ahead of you."] : ["refused", UNREACHABLE]));
}

function picture(source, description) {
  if (preview) URL.revokeObjectURL(preview);
  preview = source.startsWith("blob:") ? source : undefined;
  shown.src = source;
  shown.alt = description;
}

function ask({ picture: data = null, example = null }, source) {
  picture(source, "The picture that is being read");
  show("working", "Looking for faces…");
  request += 1;
  trigger("picture", { picture: data, example, request });
}

function give(blob) {
  if (root.offsetParent === null) document.querySelector("#tabs [role=tab]").click(); // pasted on the live page
  const mine = (request += 1);
  if (blob.size > props.max_bytes) {
    show("refused", `This file has ${Math.round(blob.size / 1e6)} MB, and at most ${props.max_bytes / 1e6} MB are read: make the picture smaller and try again.`);
    return;
  }
  const reader = new FileReader();
  reader.onload = () => mine === request && ask({ picture: reader.result }, URL.createObjectURL(blob));
  reader.onerror = () => mine === request && show("refused", "The browser could not read this file.");
  reader.readAsDataURL(blob);
}

// What the server answered, or that it did not.

watch("value", () => {
  const answer = props.value;
  if (answer.request !== request) return;
  if (answer.picture) picture(answer.picture, answer.message);
  show(answer.state, answer.message, answer.results);
});

// Gradio does not say which call has failed. It is taken for the newest; if it was an older one, the newest's answer
// still comes and takes the refusal's place.
root.addEventListener("unanswered", () => {
  if (root.dataset.state === "working") show("refused", UNREACHABLE);
});

// File, drop, paste, example.

choose.addEventListener("click", () => file.click());

file.addEventListener("change", () => {
  if (file.files.length) give(file.files[0]);
  file.value = ""; // so that the same file can be chosen again
});

for (const button of root.querySelectorAll(".example")) {
  button.addEventListener("click", () => ask({ example: button.dataset.name }, button.querySelector("img").src));
}

const carriesFile = (transfer) => [...transfer.types].includes("Files");
let depth = 0; // dragenter and dragleave also fire for every child that is crossed

document.addEventListener("dragenter", (event) => {
  if (carriesFile(event.dataTransfer)) root.classList.toggle("over", (depth += 1) > 0);
});
document.addEventListener("dragleave", (event) => {
  if (carriesFile(event.dataTransfer)) root.classList.toggle("over", (depth -= 1) > 0);
});
document.addEventListener("dragover", (event) => {
  if (carriesFile(event.dataTransfer)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!carriesFile(event.dataTransfer)) return;
  event.preventDefault(); // the browser would leave the page and open the file
  root.classList.toggle("over", (depth = 0) > 0);
  give(event.dataTransfer.files[0]);
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) give(event.clipboardData.files[0]);
});

// Camera: a single picture.

function stopCamera() {
  stopTracks(camera.srcObject);
  camera.srcObject = null;
}

function closeCamera(state = "empty", message = PRIVACY) {
  request += 1;
  show(state, message);
}

find(".open-camera").addEventListener("click", async () => {
  const mine = (request += 1);
  if (noCamera()) {
    show("refused", noCamera());
    return;
  }
  show("asking", "Asking for the camera…");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: 1280 } });
    if (mine !== request) {
      stopTracks(stream);
      return;
    }
    camera.srcObject = stream;
    await camera.play();
  } catch (error) {
    if (mine === request) show("refused", refusal(error));
    return;
  }
  if (mine !== request) return; // whatever came instead has let it go
  const [track] = camera.srcObject.getVideoTracks();
  track.addEventListener("ended", () => {
    if (camera.srcObject?.getVideoTracks()[0] === track) closeCamera("refused", UNPLUGGED);
  });
  show("camera", "Look at the camera.");
  find(".snap").focus();
  if (document.hidden) closeCamera(); // since it was asked for
});

find(".close-camera").addEventListener("click", () => closeCamera());

find(".snap").addEventListener("click", () => {
  const mine = request;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [camera.videoWidth, camera.videoHeight];
  canvas.getContext("2d").drawImage(camera, 0, 0);
  canvas.toBlob((blob) => mine === request && give(blob), "image/jpeg", 0.95);
});

// A page that nobody sees does not hold the camera, nor does one with another of its tabs chosen.

document.addEventListener("visibilitychange", () => {
  if (document.hidden && root.dataset.state === "camera") closeCamera();
});

new ResizeObserver(() => {
  if (root.offsetParent === null && ["asking", "camera"].includes(root.dataset.state)) closeCamera();
}).observe(root);
