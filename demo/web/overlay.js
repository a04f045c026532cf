// Draws a frame and the faces in it on a canvas, at the canvas's own resolution, so that lines and letters are sharp.
//
// tones: emotion -> [colour, colour of the text on it]. Boxes are in pixels of the frame. With mirror everything is
// mirrored but the letters.

function drawFrame(canvas, frame, faces, { mirror, tones }) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const brush = canvas.getContext("2d");
  const scale = Math.min(width / frame.width, height / frame.height);
  const [left, top] = [(width - scale * frame.width) / 2, (height - scale * frame.height) / 2];

  brush.clearRect(0, 0, width, height);
  brush.save();
  if (mirror) {
    brush.translate(width, 0);
    brush.scale(-1, 1);
  }
  brush.drawImage(frame, left, top, scale * frame.width, scale * frame.height);
  brush.restore();

  const placed = faces.map((face) => {
    let [x1, y1, x2, y2] = face.box.map((value) => value * scale);
    if (mirror) [x1, x2] = [scale * frame.width - x2, scale * frame.width - x1];
    return { face, x: x1 + left, y: y1 + top, width: x2 - x1, height: y2 - y1 };
  });
  const bounds = { left, top, right: left + scale * frame.width, bottom: top + scale * frame.height };
  for (const place of [...placed].reverse()) drawBox(brush, place, tones[place.face.label][0], ratio); // largest last
  const tags = [];
  for (const place of placed) drawTag(brush, place, placed.length > 1, tones[place.face.label], bounds, tags, ratio);
}

// A coloured line with a dark edge on both sides: visible on anything.
function drawBox(brush, { x, y, width, height }, color, ratio) {
  for (const [line, stroke] of [[5 * ratio, "rgb(26 26 26 / 0.75)"], [3 * ratio, color]]) {
    brush.lineWidth = line;
    brush.strokeStyle = stroke;
    brush.beginPath();
    brush.roundRect(x, y, width, height, 6 * ratio);
    brush.stroke();
  }
}

// Above its box, or below where it has no room above, or inside; not on another tag.
function drawTag(brush, place, numbered, [color, ink], bounds, tags, ratio) {
  const size = Math.round(ratio * Math.min(20, Math.max(13, place.width / ratio / 9)));
  brush.font = `600 ${size}px system-ui, sans-serif`;
  const name = place.face.label[0].toUpperCase() + place.face.label.slice(1);
  const text = `${numbered ? `${place.face.number} ` : ""}${name} ${percent(place.face.confidence)}`;
  const [width, height] = [brush.measureText(text).width + size * 0.9, size * 1.55];
  const x = Math.max(bounds.left, Math.min(place.x, bounds.right - width));
  const gap = 3 * ratio;
  const rows = [place.y - height - gap, place.y + place.height + gap, place.y + gap];
  const free = (y) => y >= bounds.top && y + height <= bounds.bottom
    && !tags.some((tag) => x < tag.x + tag.width && tag.x < x + width && y < tag.y + tag.height && tag.y < y + height);
  const y = rows.find(free) ?? rows[2];
  tags.push({ x, y, width, height });
  brush.fillStyle = color;
  brush.beginPath();
  brush.roundRect(x, y, width, height, 4 * ratio);
  brush.fill();
  brush.fillStyle = ink;
  brush.textBaseline = "middle";
  brush.fillText(text, x + size * 0.45, y + height / 2 + size * 0.05);
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

// As the cards of pictures say it: never a 0 or 100 that is not one.
function percent(fraction) {
  if (fraction > 0 && fraction < 0.01) return "<1%";
  if (fraction > 0.99 && fraction < 1) return ">99%";
  return `${Math.round(100 * fraction)}%`;
}
