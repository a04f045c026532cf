// The last minute of the live camera, a row a person: which emotion was read when, and how surely (the height).
//
// timeline(root, {tones}) draws on the canvas .timeline what the event "answered" tells. Before this comes words.js.

const SPAN = 60_000; // ms
const ROWS = 4; // people that have a row, those seen last
const GAP = 1500; // ms without an answer, after which the line is broken

function timeline(root, { tones }) {
  const canvas = root.querySelector(".timeline");
  let seen = []; // {at, faces}

  function people() {
    const numbers = new Set(seen.toReversed().flatMap(({ faces }) => faces.map(({ number }) => number)));
    return [...numbers].slice(0, ROWS).sort((one, other) => one - other);
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    [canvas.width, canvas.height] = [Math.round(ratio * width), Math.round(ratio * height)];
    const brush = canvas.getContext("2d");
    brush.scale(ratio, ratio);
    const ink = getComputedStyle(canvas).color;
    brush.font = "600 12px system-ui, sans-serif";
    brush.textBaseline = "middle";
    const rows = people();
    const now = seen.at(-1)?.at ?? 0;
    const high = height / Math.max(1, rows.length);
    const [left, wide] = [24, width - 24];
    rows.forEach((number, row) => {
      const [top, bottom] = [row * high + 4, (row + 1) * high - 4];
      brush.fillStyle = ink;
      brush.fillText(String(number), 4, (top + bottom) / 2);
      seen.forEach(({ at, faces }, index) => {
        const face = faces.find((each) => each.number === number);
        const next = Math.min(seen[index + 1]?.at ?? at, at + GAP);
        if (!face || next <= at) return;
        const x = left + wide * (1 - (now - at) / SPAN);
        brush.fillStyle = tones[face.label][0];
        brush.globalAlpha = face.not_sure ? 0.4 : 1;
        const tall = Math.max(2, (bottom - top) * face.confidence);
        brush.fillRect(x, bottom - tall, (wide * (next - at)) / SPAN + 0.5, tall);
      });
      brush.globalAlpha = 1;
    });
    canvas.setAttribute("aria-label", rows.length ? `The last minute, ${rows.length === 1 ? "one row" : `${rows.length} rows`}: a row a person` : "The last minute: nobody yet");
  }

  let drawn = 0;
  root.addEventListener("answered", ({ detail: { faces, at } }) => {
    seen = [...seen.filter((each) => at - each.at <= SPAN), { at, faces }];
    if (at - drawn < 200) return; // ms: looked at, it is a picture that moves slowly
    drawn = at;
    draw();
  });
  root.addEventListener("begun", () => {
    seen = [];
    draw();
  });
  new ResizeObserver(draw).observe(canvas);
}
