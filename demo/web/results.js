// Shows what was read of a picture: boxes over it, a card a face, all numbers below. Pointing at a face on the picture, or
// going to it with the keyboard, lights up its card, and the other way round; a click keeps it lit.
//
// In a crowd, cards show their bars when they are opened.
//
// showing(root, options) gives {show, clear, redraw}; options are those of overlay.js. Before this come overlay.js (CROWD),
// cards.js, why.js and pictures.js (the reader).

function showing(root, options) {
  const find = (selector) => root.querySelector(selector);
  const [view, spots, cards, blank] = [".view", ".spots", ".cards", ".people template"].map(find);
  let frame; // what is drawn
  let faces = []; // with their numbers, boxes in pixels of the frame
  let kept; // number of the face that was clicked
  let active; // number of the face that stands out

  const cardOf = (number) => cards.querySelector(`[data-number="${number}"]`);

  function redraw() {
    if (!frame) return;
    const placed = drawFrame(view, frame, faces, { ...options, active });
    if (!placed) return;
    for (const spot of spots.children) {
      const [x1, y1, x2, y2] = faces[spot.dataset.number - 1].box.map((value) => value * placed.scale);
      const [width, height] = [Math.max(24, x2 - x1), Math.max(24, y2 - y1)]; // a finger's width
      Object.assign(spot.style, {
        left: `${placed.left + (x1 + x2 - width) / 2}px`,
        top: `${placed.top + (y1 + y2 - height) / 2}px`,
        width: `${width}px`,
        height: `${height}px`,
      });
    }
  }

  function light(number) {
    if (number === active) return;
    if (active) cardOf(active)?.classList.remove("active");
    active = number;
    if (active) cardOf(active).classList.add("active");
    redraw();
  }

  // In the list of cards only: the page itself stays where it is.
  function scrollTo(card) {
    const [frameBox, box] = [cards.getBoundingClientRect(), card.getBoundingClientRect()];
    if (box.top < frameBox.top || box.bottom > frameBox.bottom) cards.scrollTop += box.top - frameBox.top - 8;
  }

  function keep(number, open = true) {
    kept = number;
    light(number);
    const card = cardOf(number);
    if (open) toggle(card, true);
    scrollTo(card);
  }

  function toggle(card, open) {
    card.classList.toggle("open", open);
    card.querySelector(".more").setAttribute("aria-expanded", open);
  }

  function makeSpot(face) {
    const spot = document.createElement("button");
    Object.assign(spot, { type: "button", className: "spot", tabIndex: face.number === 1 ? 0 : -1 });
    spot.dataset.number = face.number;
    spot.setAttribute("aria-label", `Face ${face.number}: ${called(face)}, ${detail(face, options.doubt)}`);
    return spot;
  }

  function makeCard(face, look) {
    const card = newCard(blank, face.number);
    fillCard(card, face, frame, options.doubt);
    const subject = () => ({ picture: look, address: () => look, box: null, roll: 0, label: face.label });
    if (look) explainable(card, subject, reader, "the grey pixels of this face are");
    else card.querySelector(".why").hidden = true;
    const more = card.querySelector(".more");
    more.setAttribute("aria-label", `Bars of face ${face.number}`);
    more.addEventListener("click", () => toggle(card, !card.classList.contains("open")));
    return card;
  }

  // looks: of each face what the network saw, as data URIs, for "Why?"; none where nothing can be explained.
  function show(drawn, found, looks = []) {
    [frame, faces, kept, active] = [drawn, found, undefined, undefined];
    root.classList.toggle("many", faces.length > CROWD);
    spots.replaceChildren(...faces.map(makeSpot)); // the largest first, so that smaller ones lie on top
    cards.replaceChildren(...faces.map((face, index) => makeCard(face, looks[index])));
    cards.scrollTop = 0;
    redraw();
  }

  function clear() {
    show(undefined, []);
    view.getContext("2d").clearRect(0, 0, view.width, view.height);
  }

  // Pointing, tapping, the keyboard.

  const numberOf = (target) => {
    const found = Number(target.closest(".spot, .card")?.dataset.number);
    return found || undefined;
  };
  for (const part of [spots, cards]) {
    part.addEventListener("pointerover", (event) => {
      if (event.pointerType === "mouse") light(numberOf(event.target) ?? kept);
    });
    part.addEventListener("pointerleave", () => light(kept));
    part.addEventListener("focusin", (event) => numberOf(event.target) && light(numberOf(event.target)));
    part.addEventListener("focusout", () => light(kept));
    part.addEventListener("click", (event) => {
      const number = numberOf(event.target);
      if (number) keep(number, part === spots);
    });
  }

  // One stop of the Tab key for all faces; the arrows go from one to the next.
  spots.addEventListener("keydown", (event) => {
    const all = [...spots.children];
    const here = all.indexOf(document.activeElement);
    const next = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined || here < 0) return;
    event.preventDefault();
    all[here].tabIndex = -1;
    const spot = all.at(next % all.length);
    spot.tabIndex = 0;
    spot.focus();
    scrollTo(cardOf(Number(spot.dataset.number)));
  });

  new ResizeObserver(redraw).observe(view);
  return { show, clear, redraw };
}
