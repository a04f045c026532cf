// "Why?" on a card: which places of the face spoke for an emotion. Asked for, never shown unasked: it takes time.
//
// explainable(card, subject) gives a card its button. subject() says what is explained, as {picture, box, roll, label}, or
// undefined; it is asked when the button is pressed, since on the live page the face is another one each moment. The event
// "changed" on a card says that it shows another face: what was explained goes. looking() is what stands there until the
// answer comes. Before this comes ask.js.

function explainable(card, subject, looking) {
  const button = card.querySelector(".why");
  button.hidden = !server.explain_face; // it takes the gradients of the whole network, which only a server has
  const panel = card.querySelector(".reason");
  const [image, text, choice] = ["img", ".reason-text", "select"].map((selector) => panel.querySelector(selector));
  let asked; // what is explained
  let request = 0; // an answer to an older question is not shown

  const explain = async (label) => {
    const mine = (request += 1);
    panel.dataset.state = "working";
    text.textContent = looking();
    const answer = (await ask(server.explain_face, { ...asked, label }))
      ?? { refused: "The server cannot be reached: please try again in a moment." };
    if (mine !== request) return;
    panel.dataset.state = answer.refused || answer.busy ? "refused" : "done";
    text.textContent = answer.busy ? "Many are asking at the moment: please try again." : answer.refused ?? answer.text;
    if (answer.picture) image.src = answer.picture;
    else image.removeAttribute("src");
    image.alt = answer.picture ? answer.text : "";
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
