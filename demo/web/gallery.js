// The strip of pictures that were given together: which is shown, how far they are, and what was found in all of them.
//
// gallery(root, choose) gives update(items, current); choose(item) is called when a visitor picks one. Before this comes
// words.js.

function gallery(root, choose) {
  const [frame, strip, words] = [".gallery", ".strip", ".of-all"].map((selector) => root.querySelector(selector));
  let shown = []; // the items whose buttons there are

  function made(item, index) {
    const button = document.createElement("button");
    [button.type, button.className] = ["button", "thumb"];
    button.append(document.createElement("canvas"), document.createElement("span"));
    button.addEventListener("click", () => choose(shown[index]));
    return button;
  }

  function fill(button, item, current) {
    const [canvas, mark] = button.children;
    button.setAttribute("aria-pressed", item === current);
    button.dataset.state = item.state;
    button.setAttribute("aria-label", `${item.name}: ${item.state === "waiting" ? "waits" : item.message}`);
    button.title = item.name;
    mark.textContent = item.state === "done" ? item.report.faces.length : { refused: "!", lost: "!" }[item.state] ?? "…";
    if (!item.frame || canvas.drawn === item.frame) return;
    canvas.drawn = item.frame;
    [canvas.width, canvas.height] = [112, 112];
    const scale = Math.max(112 / item.frame.width, 112 / item.frame.height);
    const [width, height] = [scale * item.frame.width, scale * item.frame.height];
    canvas.getContext("2d").drawImage(item.frame, (112 - width) / 2, (112 - height) / 2, width, height);
  }

  return (items, current) => {
    frame.hidden = items.length < 2;
    if (frame.hidden) return;
    if (items !== shown) {
      shown = items;
      strip.replaceChildren(...items.map(made));
    }
    [...strip.children].forEach((button, index) => fill(button, items[index], current));
    words.textContent = ofAll(items);
  };
}

// "10 pictures, 14 faces: 9 happy and 5 neutral. 1 could not be read."
function ofAll(items) {
  const of = (state) => items.filter((item) => item.state === state).length;
  const read = of("done") + of("refused");
  if (read < items.length && !of("lost")) return `${read} of ${items.length} pictures are read.`;
  const faces = items.flatMap((item) => item.report?.faces ?? []);
  const unread = items.length - of("done");
  const found = faces.length ? sentence(faces) : "no face was found.";
  return `${items.length} pictures, ${found}${unread ? ` ${unread} could not be read.` : ""}`;
}
