// A card of a face: what it is read as, and a bar an emotion. Before this come words.js and overlay.js.

// A copy of the template for the face of this number.
function newCard(blank, number) {
  const card = blank.content.firstElementChild.cloneNode(true);
  card.dataset.number = number;
  card.setAttribute("aria-label", `Face ${number}`);
  card.querySelector(".why").setAttribute("aria-label", `Why? Face ${number}`);
  return card;
}

function fillCard(card, face, frame, doubt) {
  drawUpright(card.querySelector("canvas.crop"), frame, face);
  card.querySelector(".label").textContent = called(face);
  card.querySelector(".sub").textContent = detail(face, doubt);
  for (const row of card.querySelectorAll(".bars li")) {
    const share = face.probabilities[row.dataset.emotion];
    row.classList.toggle("winner", (face.not_sure ?? [face.label]).includes(row.dataset.emotion));
    row.querySelector(".fill").style.width = `${100 * share}%`;
    row.querySelector(".figure").textContent = chance(share);
  }
}
