// The cards of a picture's faces come whole from the server; here each gets its "Why?". Before this comes why.js.

// Gradio changes the elements that are there rather than making new ones, so a card may be of the picture before.
function prepare() {
  for (const card of element.querySelectorAll(".card[data-input]")) {
    if (card.explained) card.dispatchEvent(new Event("changed"));
    else explainable(card, () => ({ picture: card.dataset.input, box: null, label: card.dataset.label }));
    card.explained = true;
  }
}

watch("value", prepare);
prepare();
