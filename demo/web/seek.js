// The timeline of a video, a row a person: which emotion was read when, and how surely (the height). A click, a finger or
// the arrow keys go to a place.
//
// seeking(root, {tones, step, seek}) gives {draw(rows, duration), at(time)}; rows are those of moments.js, which comes
// before this. step: seconds between two readings. seek(time) is called where somebody goes somewhere.

const ROW = 30; // CSS pixels
const LEFT = 24; // for the numbers of the people
const AXIS = 18; // for the times
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300]; // seconds between two marks

function seeking(root, { tones, step, seek }) {
  const slider = root.querySelector(".seek");
  const [canvas, head] = slider.children;
  let [shown, length, now] = [[], 0, 0];

  const wide = () => canvas.clientWidth - LEFT;
  const placeOf = (time) => LEFT + (length ? wide() * Math.min(1, time / length) : 0);

  function draw(rows = shown, duration = length) {
    [shown, length] = [rows, duration];
    const ratio = window.devicePixelRatio || 1;
    canvas.style.height = `${Math.max(4, rows.length) * ROW + AXIS}px`;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    [canvas.width, canvas.height] = [Math.round(ratio * width), Math.round(ratio * height)];
    const brush = canvas.getContext("2d");
    brush.scale(ratio, ratio);
    brush.font = "600 12px system-ui, sans-serif";
    brush.textBaseline = "middle";
    const style = getComputedStyle(canvas);
    marks(brush, height, ...["--line", "--ink-2"].map((name) => style.getPropertyValue(name)));
    rows.forEach(({ person, points }, index) => {
      const [top, bottom] = [index * ROW + 4, (index + 1) * ROW - 2];
      brush.fillStyle = style.color;
      brush.fillText(String(person), 5, (top + bottom) / 2);
      points.forEach(({ time, label, share, unsure }, place) => {
        const end = Math.min(points[place + 1]?.time ?? time + step, time + 2.5 * step);
        const tall = Math.max(2, (bottom - top) * share);
        brush.fillStyle = tones[label][0];
        brush.globalAlpha = unsure ? 0.4 : 1;
        brush.fillRect(placeOf(time), bottom - tall, placeOf(end) - placeOf(time) + 0.5, tall);
      });
      brush.globalAlpha = 1;
    });
    slider.setAttribute("aria-valuemax", length.toFixed(1));
    at(now);
  }

  function marks(brush, height, line, ink) {
    if (!length) return;
    const apart = STEPS.find((each) => (length / each) * 56 < wide()) ?? 600;
    for (let time = 0; time <= length; time += apart) {
      const x = placeOf(time);
      brush.fillStyle = line;
      brush.fillRect(x, 0, 1, height - AXIS);
      brush.fillStyle = ink;
      brush.textAlign = x > canvas.clientWidth - 20 ? "right" : time ? "center" : "left";
      brush.fillText(clock(time), x, height - AXIS / 2);
    }
    brush.textAlign = "left";
  }

  function at(time) {
    now = time;
    head.style.left = `${placeOf(time)}px`;
    slider.setAttribute("aria-valuenow", time.toFixed(1));
    slider.setAttribute("aria-valuetext", clock(time));
  }

  const go = (time) => seek(Math.max(0, Math.min(length, time)));
  const point = (event) => {
    const x = event.clientX - canvas.getBoundingClientRect().left - LEFT;
    if (length) go((length * x) / wide());
  };
  slider.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    slider.setPointerCapture(event.pointerId);
    point(event);
  });
  slider.addEventListener("pointermove", (event) => slider.hasPointerCapture(event.pointerId) && point(event));
  slider.addEventListener("keydown", (event) => {
    const next = {
      ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1,
      PageUp: now + 10, PageDown: now - 10, Home: 0, End: length,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    go(next);
  });
  new ResizeObserver(() => draw()).observe(slider);
  return { draw, at };
}
