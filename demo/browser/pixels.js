// Pictures as the reader sees them: {data, width, height}, data a Uint8Array of red, green and blue, row by row.
//
// Everything here gives the very numbers of Pillow, with which the Python reader works: the same filters, the same
// fixed-point arithmetic, the same rounding. tests/browser/test_reader.py compares them.

export const CHANNELS = 3;

export function blank(width, height, [red, green, blue] = [0, 0, 0]) {
  const data = new Uint8Array(width * height * CHANNELS);
  if (red || green || blue) {
    for (let place = 0; place < data.length; place += CHANNELS) {
      [data[place], data[place + 1], data[place + 2]] = [red, green, blue];
    }
  }
  return { data, width, height };
}

// From the four channels of a canvas; transparent parts were put on white when it was drawn. kept: a picture that nobody
// wants any more, whose memory is taken if it fits: new memory costs more time than the pixels do.
export function fromCanvas({ data: four, width, height }, kept) {
  const count = width * height;
  const data = kept?.data.length === count * CHANNELS ? kept.data : new Uint8Array(count * CHANNELS);
  const pixels = new Uint32Array(four.buffer, four.byteOffset, count); // alpha, blue, green, red
  for (let from = 0, to = 0; from < count; from += 1, to += CHANNELS) {
    const pixel = pixels[from];
    data[to] = pixel;
    data[to + 1] = pixel >> 8;
    data[to + 2] = pixel >> 16;
  }
  return { data, width, height };
}

// The part between these corners; black where it reaches outside the picture.
export function crop(picture, x1, y1, x2, y2) {
  const part = blank(Math.max(0, x2 - x1), Math.max(0, y2 - y1));
  paste(part, picture, -x1, -y1);
  return part;
}

// A border of one colour all around.
export function expand(picture, border, color) {
  const wider = blank(picture.width + 2 * border, picture.height + 2 * border, color);
  paste(wider, picture, border, border);
  return wider;
}

// A border that continues the picture's own edge outwards, of so many pixels on each side.
export function continued(picture, { left, top, right, bottom }) {
  if (!(left || top || right || bottom)) return picture;
  const { data, width, height } = picture;
  const wider = blank(width + left + right, height + top + bottom);
  const pixels = wider.data;
  const row = wider.width * CHANNELS;
  for (let y = 0; y < wider.height; y += 1) {
    const line = data.subarray(clamp(y - top, height) * width * CHANNELS).subarray(0, width * CHANNELS);
    const [start, end] = [y * row, (y + 1) * row];
    const [from, to] = [start + left * CHANNELS, end - right * CHANNELS];
    pixels.set(line, from);
    for (let place = start; place < from; place += 1) pixels[place] = line[(place - start) % CHANNELS];
    for (let place = to; place < end; place += 1) pixels[place] = line[line.length - CHANNELS + ((place - to) % CHANNELS)];
  }
  return wider;
}

// Turned counterclockwise by a multiple of 90 degrees, pixel for pixel.
export function quarterTurned(picture, quarters) {
  const { data, width, height } = picture;
  if (quarters === 0) return picture;
  const turned = quarters === 2 ? blank(width, height) : blank(height, width);
  for (let y = 0; y < turned.height; y += 1) {
    for (let x = 0; x < turned.width; x += 1) {
      const [column, row] = { 1: [width - 1 - y, x], 2: [width - 1 - x, height - 1 - y], 3: [y, height - 1 - x] }[quarters];
      const [from, to] = [(row * width + column) * CHANNELS, (y * turned.width + x) * CHANNELS];
      for (let channel = 0; channel < CHANNELS; channel += 1) turned.data[to + channel] = data[from + channel];
    }
  }
  return turned;
}

function paste(onto, picture, left, top) {
  const [first, last] = [Math.max(0, -left), Math.min(picture.width, onto.width - left)];
  if (last <= first) return;
  for (let y = Math.max(0, -top); y < Math.min(picture.height, onto.height - top); y += 1) {
    const from = (y * picture.width + first) * CHANNELS;
    const row = picture.data.subarray(from, from + (last - first) * CHANNELS);
    onto.data.set(row, ((y + top) * onto.width + first + left) * CHANNELS);
  }
}

export function clamp(place, length) {
  return place < 0 ? 0 : place >= length ? length - 1 : place;
}

// Python's round: halves go to the even neighbour.
export function round(value) {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}
