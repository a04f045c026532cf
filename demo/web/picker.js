// Takes one picture (file, drop, paste, camera, example), shows it at once and hands it to the server as an event.
//
// Why not gr.Image: it uploads each picture into a file and shows the copy that the server gives back, so the file must
// outlive the answer. Here the picture travels inside the event, and nothing is written anywhere.
//
// Gradio runs this once, with: element (the component's root), trigger (sends an event), props, watch (a new value).
// Before it comes camera.js (noCamera, refusal).

const root = element.querySelector(".picker");
const find = (selector) => root.querySelector(selector);
const [file, shown, camera, status, choose] = [".file", ".shown", ".camera", ".status", ".choose"].map(find);
const page = document.querySelector("#photo");
const UNREACHABLE = "The server is busy or cannot be reached: please try again in a moment.";
const SLOW = 4000; // ms without an answer, after which it is looked whether there still is a server

let turn = 0; // counts the pictures given; an answer to an older one is not shown
let waiting; // timer while an answer is awaited
let preview; // object URL of the picture shown while it is read

function show(state, message) {
  root.dataset.state = page.dataset.state = state;
  status.textContent = message;
  status.classList.toggle("problem", state === "refused");
  choose.textContent = state === "done" ? "Another picture" : "Choose a picture";
  clearTimeout(waiting);
  if (state === "working") waiting = setTimeout(checkServer, SLOW);
}

// A connection that is gone raises no event in Gradio.
async function checkServer() {
  const asked = turn;
  const reached = await fetch(location.href, { method: "HEAD", cache: "no-store" }).then(() => true, () => false);
  if (asked !== turn || root.dataset.state !== "working") return;
  show(...(reached ? ["working", "Still working: others may be ahead of you."] : ["refused", UNREACHABLE]));
}

function picture(source, description) {
  if (preview) URL.revokeObjectURL(preview);
  preview = source.startsWith("blob:") ? source : undefined;
  shown.src = source;
  shown.alt = description;
}

function ask({ picture: data = null, example = null }, source) {
  stopCamera();
  picture(source, "The picture that is being read");
  show("working", "Looking for faces…");
  turn += 1;
  trigger("picture", { picture: data, example, turn });
}

function give(blob) {
  if (root.offsetParent === null) document.querySelector("#tabs [role=tab]").click(); // pasted on the live page
  if (blob.size > props.max_bytes) {
    turn += 1; // an answer that is still on its way must not replace this message
    show("refused", `This file has ${Math.round(blob.size / 1e6)} MB, and at most ${props.max_bytes / 1e6} MB are read: make the picture smaller and try again.`);
    return;
  }
  const reader = new FileReader();
  reader.onload = () => ask({ picture: reader.result }, URL.createObjectURL(blob));
  reader.onerror = () => show("refused", "The browser could not read this file.");
  reader.readAsDataURL(blob);
}

// What the server answered, or that it did not.

watch("value", () => {
  const answer = props.value;
  if (answer.turn !== turn) return;
  if (answer.picture) picture(answer.picture, answer.message);
  show(answer.state, answer.message);
});

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
  camera.srcObject?.getTracks().forEach((track) => track.stop());
  camera.srcObject = null;
}

find(".open-camera").addEventListener("click", async () => {
  if (noCamera()) {
    show("refused", noCamera());
    return;
  }
  turn += 1;
  show("asking", "Asking for the camera…");
  try {
    camera.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: 1280 } });
    await camera.play();
    show("camera", "Look at the camera.");
    find(".snap").focus();
  } catch (error) {
    stopCamera();
    show("refused", refusal(error));
  }
});

find(".close-camera").addEventListener("click", () => {
  stopCamera();
  show("empty", "Your picture is read in memory and not stored.");
});

find(".snap").addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [camera.videoWidth, camera.videoHeight];
  canvas.getContext("2d").drawImage(camera, 0, 0);
  canvas.toBlob(give, "image/jpeg", 0.95);
});
