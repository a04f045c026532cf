// "Why?" on a card: which pixels of the face spoke for an emotion. Asked for, never shown unasked: it takes time.
//
// explainable(card, look) gives a card its button. look() says what is explained, as {picture, box, label}; it is asked
// when the button is pressed, since on the live page the face is another one each moment.

function explainable(card, look) {
  const button = card.querySelector(".why");
  const panel = card.querySelector(".reason");
  const [image, text, choice] = ["img", ".reason-text", "select"].map((selector) => panel.querySelector(selector));
  let asked; // what is explained
  let turn = 0; // an answer to an older question is not shown

  const explain = async (label) => {
    const mine = (turn += 1);
    panel.dataset.state = "working";
    text.textContent = "Looking…";
    const answer = await server.explain_face({ ...asked, label }).catch(() => ({ refused: "The server cannot be reached: please try again in a moment." }));
    if (mine !== turn) return;
    panel.dataset.state = answer.refused ? "refused" : "done";
    text.textContent = answer.refused ?? answer.text;
    if (answer.picture) {
      image.src = answer.picture;
      image.alt = answer.text;
    }
  };

  const toggle = async (open) => {
    button.setAttribute("aria-expanded", open);
    panel.hidden = !open;
    turn += 1;
    if (!open) return;
    image.removeAttribute("src");
    asked = await look();
    if (!asked) {
      toggle(false);
      return;
    }
    choice.value = asked.label;
    explain(asked.label);
  };

  button.addEventListener("click", () => toggle(panel.hidden));
  choice.addEventListener("change", () => explain(choice.value));
}
