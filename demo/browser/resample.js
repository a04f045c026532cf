// Pillow's ways to change a picture's size and to turn it, number for number.

import { CHANNELS, blank, clamp, crop, quarterTurned } from "./pixels.js";

const PRECISION = 22; // bits after the point of a filter's weights
const HALF = 1 << (PRECISION - 1);

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

// With the slope of -0.5 that makes it follow a parabola.
function cubic(x) {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
}

const FILTERS = {
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  lanczos: { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
};

// What each of ``count`` new pixels is made of, between ``from`` and ``to`` of ``length`` old ones: starts, and weights
// in rows of equal length, as shares and as levels with 22 bits after the point. Not to be written to: faces have the same
// few sizes frame after frame, so what was computed is kept.
function weights(length, from, to, count, filter) {
  const name = [length, from, to, count, filter].join(" ");
  if (!known.has(name)) {
    if (known.size === KEPT) known.clear();
    const computed = compute(length, from, to, count, FILTERS[filter]);
    known.set(name, { ...computed, levels: fixed(computed.shares) });
  }
  return known.get(name);
}

const KEPT = 100;
const known = new Map();

function compute(length, from, to, count, { support, weight }) {
  const scale = (to - from) / count;
  const grown = Math.max(1, scale);
  const reach = support * grown;
  const width = Math.ceil(reach) * 2 + 1;
  const [starts, sizes] = [new Int32Array(count), new Int32Array(count)];
  const shares = new Float64Array(count * width);
  for (let index = 0; index < count; index += 1) {
    const center = from + (index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const last = Math.min(length, Math.trunc(center + reach + 0.5));
    let sum = 0;
    for (let place = first; place < last; place += 1) {
      const share = weight((place - center + 0.5) * (1 / grown));
      shares[index * width + place - first] = share;
      sum += share;
    }
    if (sum !== 0) for (let place = 0; place < last - first; place += 1) shares[index * width + place] /= sum;
    [starts[index], sizes[index]] = [first, last - first];
  }
  return { starts, sizes, shares, width };
}

const fixed = (shares) => Int32Array.from(shares, (share) => Math.trunc(share * (1 << PRECISION) + (share < 0 ? -0.5 : 0.5)));

// A picture, or the part of it between the corners of ``box``, at another size: every new pixel a weighted mean of those
// it covers, first along rows and then along columns, rounded to whole levels after each.
export function resize(picture, width, height, filter = "bilinear", box = [0, 0, picture.width, picture.height]) {
  const [x1, y1, x2, y2] = box.map(Math.fround);
  const across = width !== picture.width || x1 !== 0 || x2 !== width;
  const down = height !== picture.height || y1 !== 0 || y2 !== height;
  const rows = weights(picture.height, y1, y2, height, filter);
  const first = down ? rows.starts[0] : 0;
  const last = down ? rows.starts[height - 1] + rows.sizes[height - 1] : picture.height;
  const narrow = across ? alongRows(picture, width, weights(picture.width, x1, x2, width, filter), first, last) : picture;
  return down ? alongColumns(narrow, height, rows, across ? first : 0) : narrow;
}

function alongRows({ data, width }, count, { starts, sizes, levels, width: stride }, first, last) {
  const result = blank(count, last - first);
  const to = result.data;
  let place = 0;
  for (let y = first; y < last; y += 1) {
    for (let x = 0; x < count; x += 1, place += CHANNELS) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let from = (y * width + starts[x]) * CHANNELS;
      const end = x * stride + sizes[x];
      for (let step = x * stride; step < end; step += 1, from += CHANNELS) {
        const share = levels[step];
        red += data[from] * share;
        green += data[from + 1] * share;
        blue += data[from + 2] * share;
      }
      to[place] = level(red);
      to[place + 1] = level(green);
      to[place + 2] = level(blue);
    }
  }
  return result;
}

function alongColumns({ data, width }, count, { starts, sizes, levels, width: stride }, skipped) {
  const result = blank(width, count);
  const row = width * CHANNELS;
  const sums = new Int32Array(row); // a level with 22 bits after the point has 30: there is room for what swings beyond
  for (let y = 0; y < count; y += 1) {
    sums.fill(HALF);
    for (let step = 0; step < sizes[y]; step += 1) {
      const share = levels[y * stride + step];
      const from = (starts[y] - skipped + step) * row;
      for (let x = 0; x < row; x += 1) sums[x] += data[from + x] * share;
    }
    for (let x = 0, to = y * row; x < row; x += 1, to += 1) result.data[to] = level(sums[x]);
  }
  return result;
}

function level(sum) {
  const value = sum >> PRECISION;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

// The same of one channel of numbers (Float32Array, row by row), which are not rounded to levels.
export function resizeNumbers(numbers, width, height, newWidth, newHeight, filter = "bilinear") {
  const columns = weights(width, 0, width, newWidth, filter);
  const rows = weights(height, 0, height, newHeight, filter);
  const narrow = newWidth === width ? numbers : numbersAlongRows(numbers, width, height, newWidth, columns);
  if (newHeight === height) return narrow;
  const result = new Float32Array(newWidth * newHeight);
  const sums = new Float64Array(newWidth);
  for (let y = 0; y < newHeight; y += 1) {
    sums.fill(0);
    for (let step = 0; step < rows.sizes[y]; step += 1) {
      const share = rows.shares[y * rows.width + step];
      const from = (rows.starts[y] + step) * newWidth;
      for (let x = 0; x < newWidth; x += 1) sums[x] += narrow[from + x] * share;
    }
    result.set(sums, y * newWidth);
  }
  return result;
}

function numbersAlongRows(numbers, width, height, count, { starts, sizes, shares, width: stride }) {
  const result = new Float32Array(count * height);
  for (let x = 0; x < count; x += 1) {
    const first = x * stride;
    const size = sizes[x];
    for (let y = 0; y < height; y += 1) {
      const from = y * width + starts[x];
      let sum = 0;
      for (let step = 0; step < size; step += 1) sum += numbers[from + step] * shares[first + step];
      result[y * count + x] = sum;
    }
  }
  return result;
}

// ``resize`` (bilinear) for much smaller sizes: whole blocks become their means first, and at least ``gap`` times as many
// pixels are left as are wanted.
export function resizeWithGap(picture, width, height, gap = 2) {
  if (picture.width === width && picture.height === height) return picture;
  const across = Math.trunc(picture.width / width / gap) || 1;
  const down = Math.trunc(picture.height / height / gap) || 1;
  if (across === 1 && down === 1) return resize(picture, width, height);
  const small = reduce(picture, across, down);
  return resize(small, width, height, "bilinear", [0, 0, picture.width / across, picture.height / down]);
}

// Each block of so many pixels as their mean; what is left over at the right and below makes smaller blocks.
export function reduce(picture, across, down, [x1, y1, x2, y2] = [0, 0, picture.width, picture.height]) {
  if (across === 1 && down === 1) return crop(picture, x1, y1, x2, y2);
  const { data, width } = picture;
  const result = blank(Math.ceil((x2 - x1) / across), Math.ceil((y2 - y1) / down));
  let to = 0;
  for (let top = y1; top < y2; top += down) {
    const bottom = Math.min(top + down, y2);
    for (let left = x1; left < x2; left += across) {
      const right = Math.min(left + across, x2);
      const count = (right - left) * (bottom - top);
      const multiplier = Math.floor(Math.fround(2 ** 32 / (256 * count)));
      let [red, green, blue] = [count >> 1, count >> 1, count >> 1];
      for (let y = top; y < bottom; y += 1) {
        for (let from = (y * width + left) * CHANNELS; from < (y * width + right) * CHANNELS; from += CHANNELS) {
          red += data[from];
          green += data[from + 1];
          blue += data[from + 2];
        }
      }
      result.data[to] = Math.floor((red * multiplier) / 2 ** 24);
      result.data[to + 1] = Math.floor((green * multiplier) / 2 ** 24);
      result.data[to + 2] = Math.floor((blue * multiplier) / 2 ** 24);
      to += CHANNELS;
    }
  }
  return result;
}

// A new picture whose pixel (x, y) is what stands at (a x + b y + c, d x + e y + f) of this one, pixel centres at halves,
// between four pixels and rounded down; ``color`` where that is outside.
export function transform(picture, width, height, [a, b, c, d, e, f], color) {
  const { data, width: columns, height: rows } = picture;
  const result = blank(width, height, color);
  const pixels = result.data;
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, to += CHANNELS) {
      const across = a * (x + 0.5) + b * (y + 0.5) + c;
      const down = d * (x + 0.5) + e * (y + 0.5) + f;
      if (across < 0 || across >= columns || down < 0 || down >= rows) continue;
      const left = Math.floor(across - 0.5);
      const top = Math.floor(down - 0.5);
      const dx = across - 0.5 - left;
      const dy = down - 0.5 - top;
      const x0 = clamp(left, columns) * CHANNELS;
      const x1 = clamp(left + 1, columns) * CHANNELS;
      const upper = clamp(top, rows) * columns * CHANNELS;
      const lower = top + 1 < rows ? (top + 1) * columns * CHANNELS : upper;
      for (let channel = 0; channel < CHANNELS; channel += 1) {
        const p = data[upper + x0 + channel];
        const r = data[lower + x0 + channel];
        const above = p + (data[upper + x1 + channel] - p) * dx;
        const below = r + (data[lower + x1 + channel] - r) * dx;
        pixels[to + channel] = above + (below - above) * dy;
      }
    }
  }
  return result;
}

// Turned counterclockwise about its centre. With ``grow`` the result is as large as the turned picture, else as large as
// the picture was.
export function rotate(picture, degrees, { grow = false, color } = {}) {
  const angle = degrees - 360 * Math.floor(degrees / 360);
  const { width, height } = picture;
  if (angle % 180 === 0 || (angle % 90 === 0 && (grow || width === height))) return quarterTurned(picture, angle / 90);
  const radians = (-angle * Math.PI) / 180;
  const [cos, sin] = [rounded(Math.cos(radians)), rounded(Math.sin(radians))];
  const place = (x, y, [c, f]) => [cos * x + sin * y + c, rounded(-Math.sin(radians)) * x + cos * y + f];
  const moved = place(-width / 2, -height / 2, [0, 0]);
  let shift = [moved[0] + width / 2, moved[1] + height / 2];
  let size = [width, height];
  if (grow) {
    const corners = [[0, 0], [width, 0], [width, height], [0, height]].map(([x, y]) => place(x, y, shift));
    size = [0, 1].map((axis) => {
      const values = corners.map((corner) => corner[axis]);
      return Math.ceil(Math.max(...values)) - Math.floor(Math.min(...values));
    });
    shift = place(-(size[0] - width) / 2, -(size[1] - height) / 2, shift);
  }
  return transform(picture, ...size, [cos, sin, shift[0], rounded(-Math.sin(radians)), cos, shift[1]], color);
}

// To 15 digits after the point, as Pillow does so that right angles are right.
const rounded = (value) => Number(value.toFixed(15));

// The pixels of a much smaller picture without any mean: the one at each place.
export function sampled({ data, width: wide, height: high }, width, height) {
  const columns = Int32Array.from(places(wide, width), (column) => column * CHANNELS);
  const result = blank(width, height);
  const pixels = result.data;
  let to = 0;
  for (const row of places(high, height)) {
    const start = row * wide * CHANNELS;
    for (let x = 0; x < width; x += 1, to += CHANNELS) {
      const from = start + columns[x];
      pixels[to] = data[from];
      pixels[to + 1] = data[from + 1];
      pixels[to + 2] = data[from + 2];
    }
  }
  return result;
}

function places(length, count) {
  const [step, found] = [length / count, []];
  for (let place = step * 0.5; found.length < count; place += step) found.push(Math.trunc(place));
  return found;
}

