// Parts of a picture at other sizes, every new pixel the mean of those it covers; see resemotenet/reading/means.py.

import { CHANNELS } from "./pixels.js";

export class Means {
  constructor({ data, width, height }) {
    [this.width, this.height] = [width, height];
    const row = (width + 1) * CHANNELS;
    this.sums = new Uint32Array(row * (height + 1));
    const { sums } = this;
    for (let y = 0; y < height; y += 1) {
      let [red, green, blue] = [0, 0, 0];
      let to = (y + 1) * row + CHANNELS;
      for (let from = y * width * CHANNELS; from < (y + 1) * width * CHANNELS; from += CHANNELS, to += CHANNELS) {
        red += data[from];
        green += data[from + 1];
        blue += data[from + 2];
        sums[to] = sums[to - row] + red;
        sums[to + 1] = sums[to - row + 1] + green;
        sums[to + 2] = sums[to - row + 2] + blue;
      }
    }
  }

  // The picture at another size, without a border of so many new pixels: three planes of floats.
  whole(width, height, border = 0) {
    const columns = edges(this.width, width, border);
    const rows = edges(this.height, height, border);
    const planes = new Float32Array(CHANNELS * rows.starts.length * columns.starts.length);
    this.fill(planes, 0, columns, rows);
    return { planes, width: columns.starts.length, height: rows.starts.length };
  }

  // Rectangles [x1, y1, x2, y2] in whole pixels inside the picture as squares: three planes each, one after the other.
  parts(rectangles, side) {
    const size = CHANNELS * side * side;
    const planes = new Float32Array(rectangles.length * size);
    rectangles.forEach(([x1, y1, x2, y2], number) => {
      this.fill(planes, number * size, edges(x2 - x1, side, 0, x1), edges(y2 - y1, side, 0, y1));
    });
    return planes;
  }

  fill(planes, begin, columns, rows) {
    const { sums, width } = this;
    const [across, down] = [columns.starts.length, rows.starts.length];
    const plane = across * down;
    let to = begin;
    for (let y = 0; y < down; y += 1) {
      const [top, bottom] = [rows.starts[y] * (width + 1), rows.ends[y] * (width + 1)];
      for (let x = 0; x < across; x += 1, to += 1) {
        const [left, right] = [columns.starts[x], columns.ends[x]];
        const share = Math.fround(1 / ((rows.ends[y] - rows.starts[y]) * (right - left)));
        const [a, b, c, d] = [(bottom + right) * 3, (top + right) * 3, (bottom + left) * 3, (top + left) * 3];
        // Sums are kept in 32 bits and may have begun again at 0: the difference is right all the same.
        planes[to] = Math.fround((sums[a] - sums[b] - sums[c] + sums[d]) >>> 0) * share;
        planes[to + plane] = Math.fround((sums[a + 1] - sums[b + 1] - sums[c + 1] + sums[d + 1]) >>> 0) * share;
        planes[to + 2 * plane] = Math.fround((sums[a + 2] - sums[b + 2] - sums[c + 2] + sums[d + 2]) >>> 0) * share;
      }
    }
  }
}

// Where the pixels of a smaller or larger picture begin and end in this one.
function edges(length, count, border, offset = 0) {
  const starts = new Int32Array(count - 2 * border);
  const ends = new Int32Array(count - 2 * border);
  for (let step = border; step < count - border; step += 1) {
    starts[step - border] = offset + Math.floor((step * length) / count);
    ends[step - border] = offset + Math.ceil(((step + 1) * length) / count);
  }
  return { starts, ends };
}
