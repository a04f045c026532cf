// What is kept of the live camera, in the browser alone: numbers as a table, one frame as a picture, and what it comes to
// when it stops.
//
// recording(root) works .record, .snapshot and .summary by the events "begun", "answered" and "ended" of the live page.
// Before this come words.js, numbers.js (asCsv) and saving.js.

const LONGEST_RECORDING = 60 * 60_000; // ms
const AWAY = 5000; // ms: a longer time between two answers was a pause

function recording(root) {
  const [record, snapshot, summary] = [".record", ".snapshot", ".summary"].map((selector) => root.querySelector(selector));
  let rows; // of the table, while it is recorded
  let since; // when the recording began
  let before; // when the answer before came
  let tally = new Map(); // person -> emotion -> ms
  let watched = 0; // ms

  const head = (labels) => ["seconds", "face", "label", "not_sure", ...labels, "detection_score", "x1", "y1", "x2", "y2"];

  function stop() {
    if (!rows) return;
    const [labels, table] = [rows.labels, rows.table];
    rows = undefined;
    record.textContent = "Record numbers";
    record.setAttribute("aria-pressed", false);
    if (table.length) saveAs(new Blob([asCsv({ head: head(labels), rows: table })], { type: "text/csv" }), "live-emotions.csv");
    else summary.textContent = "Nothing is saved: no face was read while numbers were recorded.";
  }

  record.addEventListener("click", () => {
    if (record.getAttribute("aria-disabled") === "true") return;
    if (rows) {
      stop();
      return;
    }
    [rows, since] = [{ labels: [], table: [] }, undefined];
    summary.textContent = "";
    record.textContent = "Stop and save CSV";
    record.setAttribute("aria-pressed", true);
  });

  snapshot.addEventListener("click", async () => {
    if (snapshot.getAttribute("aria-disabled") === "true") return;
    const blob = await new Promise((made) => root.querySelector(".view").toBlob(made, "image/png"));
    saveAs(blob, "live-emotions.png");
  });

  root.addEventListener("answered", ({ detail: { faces, at } }) => {
    const passed = at - before < AWAY ? at - before : 0;
    before = at;
    watched += passed;
    for (const { number, label, not_sure: unsure } of faces) {
      const times = tally.get(number) ?? tally.set(number, new Map()).get(number);
      const word = unsure ? "not sure" : label;
      times.set(word, (times.get(word) ?? 0) + passed);
    }
    if (!rows) return;
    since ??= at;
    for (const face of faces) {
      rows.labels = Object.keys(face.probabilities);
      rows.table.push([
        ((at - since) / 1000).toFixed(2), face.number, face.label, face.not_sure?.join(" or ") ?? "",
        ...Object.values(face.probabilities), face.detection_score, ...face.box,
      ]);
    }
    if (at - since > LONGEST_RECORDING) stop();
  });

  const usable = (yes) => [record, snapshot].forEach((button) => button.setAttribute("aria-disabled", !yes));
  root.addEventListener("begun", () => {
    [before, tally, watched] = [undefined, new Map(), 0];
    summary.textContent = "";
    usable(true);
  });
  root.addEventListener("ended", () => {
    stop();
    usable(false);
    if (tally.size) summary.textContent = summed(tally, watched);
  });
  usable(false);
}

// "Watched for 1 min 5 s. Face 1: happy 80% and neutral 20% of the time."
function summed(tally, watched) {
  const seconds = Math.round(watched / 1000);
  const long = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const people = [...tally].sort(([one], [other]) => one - other).map(([number, times]) => {
    const whole = [...times.values()].reduce((sum, each) => sum + each, 0);
    if (!whole) return undefined;
    const shares = [...times].sort(([, one], [, other]) => other - one).map(([word, ms]) => `${word} ${percent(ms / whole)}`);
    return `Face ${number}: ${listed(shares)} of the time.`;
  });
  return [`Watched for ${long}.`, ...people.filter(Boolean)].join(" ");
}
