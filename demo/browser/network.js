// From face crops to probabilities: preprocessing, the network, views, temperature and operating point; see
// resemotenet/checkpoints/preprocessing.py and checkpoint.py.

import { CHANNELS } from "./pixels.js";
import { resizeNumbers } from "./resample.js";

const BATCH = 32; // crops that go through the network at once: bounds the memory that a crowd takes

// Grey levels of a crop at the size that the network takes, not rounded. preprocess: of reader.json.
export function levels({ data, width, height }, { size, interpolation, luma: [red, green, blue] }) {
  const grey = new Float32Array(width * height);
  const [r, g, b] = [red, green, blue].map(Math.fround);
  for (let to = 0, from = 0; to < grey.length; to += 1, from += CHANNELS) {
    const sum = Math.fround(Math.fround(data[from] * r) + Math.fround(data[from + 1] * g));
    grey[to] = sum + Math.fround(data[from + 2] * b);
  }
  if (width === size && height === size) return grey;
  // Lanczos' filter swings beyond black and white beside an edge.
  return resizeNumbers(grey, width, height, size, size, interpolation).map((level) => Math.min(255, Math.max(0, level)));
}

export class Network {
  // run: a batch {data, dims} -> [{data, dims}], logits; settings: "network" of reader.json.
  constructor(run, settings) {
    [this.run, this.settings] = [run, settings];
  }

  // Grey levels of crops -> of each the probabilities, in the order of the labels.
  async probabilities(looks) {
    const found = [];
    for (let start = 0; start < looks.length; start += BATCH) {
      found.push(...(await this.batch(looks.slice(start, start + BATCH))));
    }
    return found;
  }

  async batch(looks) {
    const { labels } = this.settings;
    const flipped = this.settings.views === "flip";
    const [{ data: logits }] = await this.run(this.views(looks));
    const shares = (row) => softmax([...logits.subarray(row * labels.length, (row + 1) * labels.length)].map((each) => each / this.settings.temperature));
    return looks.map((_, number) => {
      const straight = shares(number);
      if (!flipped) return this.atOperatingPoint(straight);
      const mirrored = shares(looks.length + number);
      return this.atOperatingPoint(straight.map((share, index) => (share + mirrored[index]) / 2));
    });
  }

  // What the network takes for grey levels of crops: all of them, and then their mirror images where it sees both.
  views(looks) {
    const { preprocess, views } = this.settings;
    const { size, channels } = preprocess;
    const flipped = views === "flip";
    const each = channels * size * size;
    const count = looks.length * (flipped ? 2 : 1);
    const data = new Float32Array(count * each);
    looks.forEach((look, number) => {
      this.normalize(look, data.subarray(number * each, (number + 1) * each), false);
      if (flipped) this.normalize(look, data.subarray((looks.length + number) * each), true);
    });
    return { data, dims: [count, channels, size, size] };
  }

  normalize(look, to, mirrored) {
    const { size, channels, mean, std } = this.settings.preprocess;
    for (let channel = 0; channel < channels; channel += 1) {
      for (let place = 0; place < size * size; place += 1) {
        const column = place % size;
        const from = mirrored ? place - column + size - 1 - column : place;
        // Rounded as float32 arithmetic rounds: a last bit more or less can be another level in 8 bits.
        const shifted = Math.fround(Math.fround(look[from] / 255) - Math.fround(mean[channel]));
        to[channel * size * size + place] = shifted / Math.fround(std[channel]);
      }
    }
  }

  atOperatingPoint(shares) {
    const { logit_bias: bias } = this.settings;
    return bias ? softmax(shares.map((share, index) => Math.log(share) + bias[index])) : shares;
  }
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((one, other) => one + other);
  return powers.map((power) => power / sum);
}
