// The geometry of boxes [x1, y1, x2, y2]; see resemotenet/reading/faces.py. A face: {box, score, landmarks}.

export function area([x1, y1, x2, y2]) {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

// Intersection over union.
export function overlap(one, other) {
  const shared = area([
    Math.max(one[0], other[0]), Math.max(one[1], other[1]), Math.min(one[2], other[2]), Math.min(one[3], other[3]),
  ]);
  const union = area(one) + area(other) - shared;
  return union > 0 ? shared / union : 0;
}

// The part of a box inside a picture; undefined if there is none.
export function clip([x1, y1, x2, y2], { width, height }) {
  const inside = [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)];
  return area(inside) > 0 ? inside : undefined;
}

// Of faces that overlap more than that, the best scored; largest first.
export function suppressOverlaps(faces, most) {
  const kept = [];
  for (const face of [...faces].sort((one, other) => other.score - one.score)) {
    if (kept.every((other) => overlap(face.box, other.box) <= most)) kept.push(face);
  }
  return kept.sort((one, other) => area(other.box) - area(one.box) || compare(one.box, other.box));
}

function compare(one, other) {
  const place = one.findIndex((value, index) => value !== other[index]);
  return place < 0 ? 0 : one[place] - other[place];
}

// How far a face leans, in hundredths of a degree, clockwise, from the lines through the eyes and the mouth.
export function roll({ landmarks }) {
  if (landmarks.length !== 5) return 0;
  const [[leftX, leftY], [rightX, rightY], , [mouthX1, mouthY1], [mouthX2, mouthY2]] = landmarks;
  const [down, across] = [rightY - leftY + mouthY2 - mouthY1, rightX - leftX + mouthX2 - mouthX1];
  return decimals((Math.atan2(down, across) * 180) / Math.PI, 2);
}

export function decimals(value, places) {
  return Number(value.toFixed(places));
}
