// Draws a picture and the faces in it on a canvas, at the canvas's own resolution, so that lines and letters are sharp.
//
// Boxes are in pixels of the picture, faces have numbers. Options: tones, emotion -> [colour, colour of the text on it];
// doubt, the detection score below which a face is drawn with a broken line; active, the number of the face that stands
// out; mirror, which mirrors everything but the letters; over, which leaves the picture out: it is shown below the canvas.
// Before this comes words.js.

const LETTERS = 13; // CSS pixels: the tags of near and far faces are one size
const COVERED = 0.2; // how much of a face a tag may cover
const CROWD = 6; // faces, beyond which there is no room for much beside each

// Fills a canvas of the page; gives back where the picture lies on it, in CSS pixels.
function drawFrame(canvas, frame, faces, options) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return undefined;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const scale = Math.min(width / frame.width, height / frame.height);
  const [left, top] = [(width - scale * frame.width) / 2, (height - scale * frame.height) / 2];
  const brush = canvas.getContext("2d");
  brush.clearRect(0, 0, width, height);
  paint(brush, frame, faces, { scale, left, top, ratio }, options);
  return { scale: scale / ratio, left: left / ratio, top: top / ratio };
}

// view: pixels of the canvas for one of the picture, where its corner lies, and pixels for a CSS pixel.
function paint(brush, frame, faces, { scale, left, top, ratio }, { mirror = false, tones, doubt = 0, active, over = false }) {
  const bounds = { left, top, right: left + scale * frame.width, bottom: top + scale * frame.height };
  brush.save();
  if (mirror) {
    brush.translate(bounds.left + bounds.right, 0);
    brush.scale(-1, 1);
  }
  brush.imageSmoothingQuality = "high";
  if (!over) brush.drawImage(frame, left, top, scale * frame.width, scale * frame.height);
  brush.restore();

  const placed = faces.map((face) => {
    let [x1, y1, x2, y2] = face.box.map((value) => value * scale);
    if (mirror) [x1, x2] = [scale * frame.width - x2, scale * frame.width - x1];
    return { face, active: face.number === active, x: x1 + left, y: y1 + top, width: x2 - x1, height: y2 - y1 };
  });
  const standing = placed.filter((place) => place.active);
  for (const place of [...placed].reverse().concat(standing)) { // largest last, but for the one that stands out
    drawBox(brush, place, tones[place.face.label][0], ratio, place.face.detection_score < doubt);
  }
  brush.font = `600 ${LETTERS * ratio}px system-ui, sans-serif`;
  for (const tag of placeTags(brush, placed, bounds, ratio)) drawTag(brush, tag, tones[tag.face.label], ratio);
}

// A coloured line with a dark edge on both sides: visible on anything.
function drawBox(brush, { active, x, y, width, height }, color, ratio, broken) {
  const thick = (active ? 5 : 2.5) * ratio;
  for (const [line, stroke] of [[thick + 2 * ratio, active ? "#fff" : "rgb(26 26 26 / 0.75)"], [thick, color]]) {
    brush.lineWidth = line;
    brush.strokeStyle = stroke;
    brush.setLineDash(broken && stroke === color ? [7 * ratio, 5 * ratio] : []);
    brush.beginPath();
    brush.roundRect(x, y, width, height, Math.min(6 * ratio, width / 4));
    brush.stroke();
  }
  brush.setLineDash([]);
}

// Texts of a tag, from the best to the shortest.
function tagTexts(face, numbered) {
  const start = numbered ? `${face.number} ` : "";
  const name = face.not_sure ? capital(`${face.not_sure.join(" or ")}?`) : capital(face.label);
  const texts = [`${start}${name}${face.not_sure ? "" : ` ${chance(face.confidence)}`}`, `${start}${name}`];
  return numbered ? [...texts, String(face.number)] : texts;
}

// Where the tags go: inside the picture, off each other, and off the faces. One that finds no such place becomes shorter,
// in a crowd all of them do; some find none, and show when their face stands out, which always has one.
function placeTags(brush, placed, bounds, ratio) {
  const sorted = [...placed].sort((one, other) => other.active - one.active);
  if (placed.length <= CROWD) return tagsAt(brush, sorted, bounds, ratio, 0).tags;
  const levels = tagTexts(placed[0].face, true).length;
  let tried;
  for (let level = 0; level < levels; level += 1) {
    tried = tagsAt(brush, sorted, bounds, ratio, level, level);
    if (!tried.left) break;
  }
  return tried.tags;
}

// With texts from one level to another; "left" are the faces without one.
function tagsAt(brush, placed, bounds, ratio, first, last = Infinity) {
  const pad = 0.45 * LETTERS * ratio;
  const height = Math.round(1.55 * LETTERS * ratio);
  const tags = [];
  for (const place of placed) {
    const texts = tagTexts(place.face, placed.length > 1);
    for (const text of place.active ? texts : texts.slice(first, last + 1)) {
      const width = brush.measureText(text).width + 2 * pad;
      const corner = corners(place, width, height, 3 * ratio)
        .map(([x, y]) => ({ x: Math.max(bounds.left, Math.min(x, bounds.right - width)), y, width, height }))
        .find((tag) => inside(tag, bounds) && tags.every((other) => !shared(tag, other))
          && placed.every((other) => shared(tag, other) <= COVERED * other.width * other.height));
      if (!corner && !place.active) continue;
      const [x, y] = [Math.min(place.x, bounds.right - width), Math.max(bounds.top, place.y - height)];
      tags.push({ ...(corner ?? { x, y, width, height }), text, pad, face: place.face });
      break;
    }
  }
  return { tags: tags.reverse(), left: placed.length - tags.length }; // the one that stands out is drawn last
}

// Above, below, and to both sides.
function corners({ x, y, width: wide, height: high }, width, height, gap) {
  const rows = [y - height - gap, y + high + gap];
  const ends = [x, x + wide - width];
  return [
    ...rows.flatMap((row) => ends.map((end) => [end, row])),
    ...[x - width - gap, x + wide + gap].flatMap((side) => [[side, y], [side, y + high - height]]),
  ];
}

const inside = (tag, bounds) => tag.x >= bounds.left && tag.y >= bounds.top
  && tag.x + tag.width <= bounds.right && tag.y + tag.height <= bounds.bottom;

// The area that two rectangles share.
function shared(one, other) {
  const wide = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const high = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

function drawTag(brush, { x, y, width, height, text, pad }, [color, ink], ratio) {
  brush.fillStyle = color;
  brush.beginPath();
  brush.roundRect(x, y, width, height, 4 * ratio);
  brush.fill();
  brush.fillStyle = ink;
  brush.textBaseline = "middle";
  brush.fillText(text, x + pad, y + height / 2 + 0.05 * LETTERS * ratio);
}

// What the network saw: the face's square, turned about its centre as far as the face leans. Corners that this brings in
// from beyond the frame stay empty here, and dark frames dark.
function drawUpright(canvas, frame, { crop_box: [x1, y1, x2, y2], crop_roll: roll }) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.save();
  pen.translate(canvas.width / 2, canvas.height / 2);
  pen.scale(canvas.width / (x2 - x1), canvas.height / (y2 - y1));
  pen.rotate((-roll * Math.PI) / 180);
  pen.drawImage(frame, -(x1 + x2) / 2, -(y1 + y2) / 2);
  pen.restore();
}
