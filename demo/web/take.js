// What a visitor takes away of a picture: drawn and written here, so nothing more is asked of the server.
//
// takeAway(root, options, {current, all}) works the buttons of .take. options are those of overlay.js; current() gives the
// picture that is shown, {name, frame, faces, message, report}; all() those that were given together, {name, state, message,
// report}. Picture and share sheet are of the one, table and JSON of all. Before this come overlay.js, numbers.js and saving.js.

const LEAST_SIDE = 1200; // pixels of the longer side of an annotated picture: a small one grows, so that letters are sharp
const LIKE = 900; // CSS pixels of a picture on the page, as large as whose letters are drawn

function takeAway(root, options, { current, all }) {
  const find = (selector) => root.querySelector(selector);
  const words = find(".take .told");

  // The buttons say in words what they have done.
  function told(button, text) {
    button.dataset.said ??= button.textContent;
    button.textContent = words.textContent = text;
    setTimeout(() => (button.textContent = button.dataset.said), 2000);
  }

  async function annotated() {
    const { frame, faces } = current();
    const longer = Math.max(frame.width, frame.height);
    const scale = Math.max(1, LEAST_SIDE / longer);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.round(scale * frame.width), Math.round(scale * frame.height)];
    const view = { scale, left: 0, top: 0, ratio: (scale * longer) / LIKE };
    paint(canvas.getContext("2d"), frame, faces, view, options);
    const blob = await new Promise((made) => canvas.toBlob(made, "image/png"));
    return new File([blob], `${current().name}-emotions.png`, { type: "image/png" });
  }

  const text = { csv: () => asCsv(tableOf(all())), json: () => asJson(all()) };
  const types = { csv: "text/csv", json: "application/json" };
  for (const button of root.querySelectorAll(".take [data-save]")) {
    button.addEventListener("click", async () => {
      const kind = button.dataset.save;
      const file = kind === "png" ? await annotated() : new Blob([text[kind]()], { type: types[kind] });
      const { name } = kind === "png" || all().length === 1 ? current() : { name: `${all().length}-pictures` };
      saveAs(file, `${name}-emotions.${kind}`);
      told(button, "Saved");
    });
  }

  const copies = { table: () => asTabs(tableOf(all())), json: text.json };
  for (const button of root.querySelectorAll(".take [data-copy]")) {
    button.hidden = !navigator.clipboard; // pages on plain http have none
    button.addEventListener("click", async () => {
      const copied = await navigator.clipboard.writeText(copies[button.dataset.copy]()).then(() => true, () => false);
      told(button, copied ? "Copied" : "The browser did not allow it");
    });
  }

  const share = find(".take .share");
  const probe = new File([""], "a.png", { type: "image/png" });
  share.hidden = !navigator.canShare?.({ files: [probe] });
  share.addEventListener("click", async () => {
    const shared = await navigator.share({ files: [await annotated()], text: current().message }).then(() => true, () => false);
    if (shared) told(share, "Shared");
  });
}
