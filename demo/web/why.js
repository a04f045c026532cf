// "Why?" on a card: which places of the face spoke for an emotion. Asked for, never shown unasked: it takes time.
//
// explainable(card, subject, reader, sent) gives a card its button. subject() says what is explained, as {picture, address,
// box, roll, label}, or undefined; it is asked when the button is pressed, since on the live page the face is another one
// each moment. picture: a canvas or a data URI; address(): the data URI for a server; box: null where it is what the
// network saw. sent: what travels where the device reads and the server must explain. The event "changed" on a card says
// that it shows another face: what was explained goes. Before this come ask.js and reading.js.

function explainable(card, subject, reader, sent) {
  const button = card.querySelector(".why");
  button.hidden = !reader.explains() && !server.explain_face;
  const panel = card.querySelector(".reason");
  const [image, text, choice] = ["img", ".reason-text", "select"].map((selector) => panel.querySelector(selector));
  let asked; // what is explained
  let request = 0; // an answer to an older question is not shown

  const explain = async (label) => {
    const mine = (request += 1);
    const told = reader.where === "device" && !reader.explains();
    panel.dataset.state = "working";
    text.textContent = told ? `Looking… The server does this: ${sent} sent to it.` : "Looking…";
    const answer = await answered(asked, label);
    if (mine !== request) return;
    panel.dataset.state = answer.refused || answer.busy ? "refused" : "done";
    text.textContent = answer.busy ? "Many are asking at the moment: please try again." : answer.refused ?? answer.text;
    if (answer.picture) image.src = answer.picture;
    else image.removeAttribute("src");
    image.alt = answer.picture ? answer.text : "";
  };

  const answered = async ({ picture, address, ...face }, label) => {
    if (reader.explains()) {
      const here = await reader.explain(await asCanvas(picture), { ...face, label });
      return here ?? { refused: "This device could not work it out: please try again." };
    }
    const there = await ask(server.explain_face, { ...face, picture: address(), label });
    return there ?? { refused: "The server cannot be reached: please try again in a moment." };
  };

  const show = (open) => {
    button.setAttribute("aria-expanded", open);
    panel.hidden = !open;
    request += 1;
    image.removeAttribute("src");
  };

  button.addEventListener("click", () => {
    const open = panel.hidden;
    asked = open ? subject() : undefined;
    show(open && asked !== undefined);
    if (!asked) return;
    choice.value = asked.label;
    explain(asked.label);
  });
  choice.addEventListener("change", () => explain(choice.value));
  card.addEventListener("changed", () => show(false));
}

async function asCanvas(picture) {
  if (typeof picture !== "string") return picture;
  const image = new Image();
  image.src = picture;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas;
}
