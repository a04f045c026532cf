// How faces are told in words, the same on every part of the page. A face is one of "faces" in the one JSON.

const capital = (word) => word[0].toUpperCase() + word.slice(1);

// Never a 0 or 100 that is not one.
function percent(fraction) {
  if (fraction > 0 && fraction < 0.01) return "<1%";
  if (fraction > 0.99 && fraction < 1) return ">99%";
  return `${Math.round(100 * fraction)}%`;
}

// Of a probability, which is never 0 or 1, though what is left of it after rounding may be.
const chance = (probability) => percent(Math.min(1 - 1e-9, Math.max(1e-9, probability)));

// What a face is read as: "Happy", or "Not sure: sad or neutral" where two emotions are too close to tell.
function called({ label, not_sure: unsure }) {
  return unsure ? `Not sure: ${unsure.join(" or ")}` : capital(label);
}

// What stands below it: how probable that is, which face it is, and whether it may be none.
function detail(face, doubt) {
  const shares = face.not_sure
    ? face.not_sure.map((label) => `${label} ${chance(face.probabilities[label])}`).join(", ")
    : chance(face.confidence);
  return `${shares} · face ${face.number}${face.detection_score < doubt ? " · perhaps not a face" : ""}`;
}

const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

// "2 faces: neutral and happy." or "5 faces: 3 happy and 2 not sure."; most frequent first, else in the order of the faces,
// and at the end those that were not told.
function sentence(faces) {
  if (faces.length === 1) {
    const [{ label, not_sure: unsure }] = faces;
    return `1 face: ${unsure ? `not sure, ${unsure.join(" or ")}` : label}.`;
  }
  const counts = new Map();
  for (const { label, not_sure: unsure } of faces) {
    const word = unsure ? "not sure" : label;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const unsure = (word) => word === "not sure";
  const sorted = [...counts].sort(([one, few], [other, many]) => unsure(one) - unsure(other) || many - few);
  if (sorted.length === 1) return `${faces.length} faces, all ${sorted[0][0]}.`;
  const each = sorted.map(([word, count]) => (counts.size === faces.length && !counts.has("not sure") ? word : `${count} ${word}`));
  return `${faces.length} faces: ${listed(each)}.`;
}
