// The one JSON of pictures as rows, as a table of the page, and as text.

// {"faces", "image", ...} in pixels of a picture of another size.
function rescaled(report, width, height) {
  const [across, down] = [width / report.image.width, height / report.image.height];
  const scaled = (box) => box.map((value, index) => Math.round(100 * value * (index % 2 ? down : across)) / 100);
  const faces = report.faces.map((face) => ({ ...face, box: scaled(face.box), crop_box: scaled(face.crop_box) }));
  return { ...report, image: { ...report.image, width, height }, faces };
}

const numbered = (faces) => faces.map((face, index) => ({ number: index + 1, ...face }));

const facesFirst = ({ faces, ...rest }) => ({ faces, ...rest }); // they are what is looked for

// Of one picture its own JSON; of several a list, in which those that could not be read have a sentence instead.
function asJson(pictures) {
  const each = pictures.map(({ name, message, report }) => ({ name, ...(report ? facesFirst(report) : { problem: message }) }));
  const whole = pictures.length === 1 ? facesFirst(pictures[0].report) : { pictures: each };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

// The columns of a table of faces: those that say which face it is, then what was read of it.
const headOf = (first, labels) => [
  ...first, "label", "not_sure", ...labels, "detection_score", "x1", "y1", "x2", "y2", "note",
];
const rowOf = (first, face, labels) => [
  ...first,
  face.label,
  face.not_sure?.join(" or ") ?? "",
  ...labels.map((label) => face.probabilities[label]),
  face.detection_score,
  ...face.box,
  "",
];

// Head and rows of a table, as words and numbers: a row a face, and one for a picture without any.
function tableOf(pictures) {
  const { labels } = pictures.find(({ report }) => report).report.model;
  const head = headOf(["picture", "face"], labels);
  const without = (name, note) => [[name, ...Array(head.length - 2).fill(""), note]];
  const rows = pictures.flatMap(({ name, message, report }) => {
    if (!report?.faces.length) return without(name, report ? "no face" : message);
    return numbered(report.faces).map((face) => rowOf([name, face.number], face, labels));
  });
  return { head, rows };
}

// Lines as RFC 4180 has them, for every program that reads tables.
function asCsv({ head, rows }) {
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

// As it is pasted into a sheet.
const asTabs = ({ head, rows }) => [head, ...rows].map((row) => row.join("\t").replaceAll(/[\r\n]/g, " ")).join("\n");

// Percent with one digit after the point, and no 0.0 or 100.0 that is not one.
function tenths(probability) {
  const shown = (100 * probability).toFixed(1);
  return { "0.0": "<0.1", "100.0": ">99.9" }[shown] ?? shown;
}

// A table for eyes: percent, and boxes as place and size.
function tableElement({ faces }) {
  const labels = Object.keys(faces[0]?.probabilities ?? {});
  const table = document.createElement("table");
  table.createCaption().textContent = "Probabilities in percent, boxes in pixels of the upright picture.";
  const head = table.createTHead().insertRow();
  for (const name of ["Face", "Emotion", ...labels.map(capital), "Detection", "Box (x, y, width, height)"]) {
    const cell = head.appendChild(document.createElement("th"));
    [cell.scope, cell.textContent] = ["col", name];
  }
  const body = table.createTBody();
  for (const face of numbered(faces)) {
    const row = body.insertRow();
    const first = row.appendChild(document.createElement("th"));
    [first.scope, first.textContent] = ["row", face.number];
    const [x1, y1, x2, y2] = face.box;
    const box = [x1, y1, x2 - x1, y2 - y1].map(Math.round).join(", ");
    const shares = labels.map((label) => tenths(face.probabilities[label]));
    for (const text of [called(face), ...shares, face.detection_score.toFixed(3), box]) row.insertCell().textContent = text;
    row.cells[1].className = "word";
  }
  return table;
}
