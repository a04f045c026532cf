// Asks about a picture: askAbout({request, frame, ...}, asking) puts the question, and whenAnswered(take) hears every answer,
// or undefined where one could not be had. On this device where it reads, what is drawn is what is read; else the server is
// asked. asking(where) is told which, and tellReader(where) tells it of the picture that is shown. Before this comes
// reading.js.
//
// The page of the server asks by an event of Gradio's, whose queue keeps the order of arrival, and gets the answer as its
// new value. Gradio does not say which event has failed.

const line = element.querySelector(".who");
let readBy; // who was asked about the picture that is shown, if somebody was
const tell = () => tellWho(line, readBy && !reader.loaded ? { where: readBy } : reader);
const reader = reading({ folder: props.device, served: Boolean(trigger), changed: tell });
let heard; // the answers of this device

function tellReader(where) {
  readBy = where;
  tell();
}

async function askAbout({ frame, ...question }, asking) {
  const { example, request } = question;
  if (trigger && example) { // the server has all of it
    asking("server");
    trigger("picture", question);
    return;
  }
  await reader.ready();
  if (reader.where === "device" && frame) {
    asking("device");
    const read = await reader.read(frame);
    if (read) {
      heard({ state: "done", request, report: read.report, looks: read.looks.map(asPicture) });
      return;
    }
  }
  asking(reader.where === "device" ? "sent" : reader.where);
  if (trigger) trigger("picture", question);
  else heard({ state: "refused", request: question.request, message: `This browser cannot read it${reader.why ? ` (${reader.why})` : ""}: open this page in another one.` });
}

function whenAnswered(take) {
  heard = take;
  watch?.("value", () => take(props.value));
  element.querySelector(".picker").addEventListener("unanswered", () => take(undefined));
}

// Grey levels of a square as a PNG.
function asPicture(levels) {
  const side = Math.sqrt(levels.length);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [side, side];
  const image = new ImageData(side, side);
  levels.forEach((level, place) => image.data.set([level, level, level, 255], 4 * place));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.toDataURL();
}
