// The cards of a picture's faces come whole from the server; here each gets its "Why?". Before this comes why.js.

function prepare() {
  for (const card of element.querySelectorAll(".card[data-input]")) {
    explainable(card, () => ({ picture: card.dataset.input, box: null, label: card.dataset.label }));
  }
}

watch("value", prepare);
prepare();
