// A card a person of a video: how much of the time each emotion was the largest, and how the present moment differs from
// what is usual for this person.
//
// personCards(root) gives {show(timeline), at(time, faces, picture), clear}. Before this come words.js, overlay.js
// (drawUpright) and moments.js (momentsUntil, clock).

function personCards(root) {
  const [cards, blank] = [".cards", "template"].map((selector) => root.querySelector(selector));
  let people = []; // of the timeline, each with its card

  function made(person) {
    const card = blank.content.firstElementChild.cloneNode(true);
    card.dataset.number = person.person;
    card.setAttribute("aria-label", `Person ${person.person}`);
    card.querySelector(".label").textContent = `Person ${person.person}`;
    for (const row of rowsOf(card)) {
      const share = person.shares[row.dataset.emotion];
      row.classList.toggle("winner", share === Math.max(...Object.values(person.shares)));
      row.querySelector(".fill").style.width = `${100 * share}%`;
      row.querySelector(".figure").textContent = percent(share);
    }
    return { ...person, moments: person.times.map((time) => ({ time })), card };
  }

  const rowsOf = (card) => card.querySelectorAll(".bars li");

  function show(timeline) {
    people = timeline.people.map(made);
    cards.replaceChildren(...people.map(({ card }) => card));
    cards.scrollTop = 0;
    at(0, []);
  }

  // The faces at a time, and what shows them, where it can be drawn from.
  function at(time, faces, picture) {
    for (const { person, seconds, moments, change, card } of people) {
      const face = faces.find((each) => each.person === person);
      const index = momentsUntil(moments, time) - 1;
      card.classList.toggle("gone", !face);
      if (face && picture) drawUpright(card.querySelector("canvas.crop"), picture, face);
      card.querySelector(".sub").textContent = `${face ? `Now ${called(face).toLowerCase()}` : "Not in sight now"} · seen for ${clock(seconds)}`;
      for (const row of rowsOf(card)) {
        row.querySelector(".change").textContent = face && index >= 0 ? points(change[row.dataset.emotion][index]) : "–";
      }
    }
  }

  return { show, at, clear: () => show({ people: [] }) };
}

// "+12" or "−3": points of a hundred.
function points(share) {
  const whole = Math.round(100 * share);
  return whole > 0 ? `+${whole}` : whole < 0 ? `−${-whole}` : "0";
}
