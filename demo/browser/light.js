// A dark picture as if there were more light, as ``lightened`` of resemotenet/reading/images.py does it.

import { CHANNELS, round } from "./pixels.js";
import { sampled } from "./resample.js";

const SIDE = 256; // of the sample that says how dark a picture is

// settings: "light" of reader.json. A picture that is not dark is returned itself.
export function lightened(picture, { light, white, least_gain: leastGain }) {
  const { data } = sampled(picture, SIDE, SIDE);
  let sum = 0;
  const brightest = new Uint32Array(256); // how many pixels have each level as their largest
  for (let place = 0; place < data.length; place += CHANNELS) {
    const [red, green, blue] = [data[place], data[place + 1], data[place + 2]];
    sum += (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16; // the weights of Pillow's grey, in 16 bits
    brightest[Math.max(red, green, blue)] += 1;
  }
  const wanted = light / Math.max(1, sum / SIDE ** 2);
  if (wanted < leastGain) return picture;
  const gain = Math.min(wanted, 255 / Math.max(1, quantile(brightest, SIDE ** 2, 1 - white)));
  if (gain < leastGain) return picture;
  const levels = Uint8Array.from({ length: 256 }, (_, level) => Math.min(255, round(gain * level)));
  return { ...picture, data: picture.data.map((level) => levels[level]) };
}

// Of ``count`` levels, counted in ``counts``: between the two nearest in rank, as numpy has it.
function quantile(counts, count, share) {
  const rank = share * (count - 1);
  const [below, above] = [Math.floor(rank), Math.ceil(rank)].map((wanted) => {
    let passed = 0;
    return counts.findIndex((here) => (passed += here) > wanted);
  });
  return below + (above - below) * (rank - Math.floor(rank));
}
