// Pictures as if there were more light in them; see resemotenet/reading/light.py. settings: "light" of reader.json.

import { CHANNELS, crop, round } from "./pixels.js";
import { sampled } from "./resample.js";

const SIDE = 256; // of the sample that says how dark a picture is

// A dark picture as if there were more light. One that is not dark is returned itself.
export function lightened(picture, settings) {
  const sample = sampled(picture, SIDE, SIDE);
  return times(picture, bounded(settings.light / mean(sample), sample, settings), settings);
}

// A picture exposed for what is dark in it; undefined where nothing is.
export function shadows(picture, settings) {
  const sample = sampled(picture, SIDE, SIDE);
  const dark = greys(sample).filter((level) => level < settings.shadows_level).length;
  return dark / SIDE ** 2 >= settings.shadows_share ? times(picture, settings.shadows_gain, settings) : undefined;
}

// A crop with a dark face in its middle as if there were more light; another one is returned itself.
export function faceLightened(part, settings) {
  const [left, top] = [part.width, part.height].map((side) => Math.trunc(settings.face_middle * side));
  const middle = crop(part, left, top, part.width - left, part.height - top);
  const sample = sampled(middle, settings.face_sample, settings.face_sample);
  const level = mean(sample);
  const wanted = Math.min(settings.light / level, (settings.face_dark / level) ** 2);
  return times(part, bounded(wanted, sample, settings), settings);
}

function greys({ data, width, height }) {
  const levels = new Uint8Array(width * height);
  for (let place = 0, from = 0; place < levels.length; place += 1, from += CHANNELS) {
    // The weights of Pillow's grey, in 16 bits.
    levels[place] = (19595 * data[from] + 38470 * data[from + 1] + 7471 * data[from + 2] + 32768) >> 16;
  }
  return levels;
}

function mean(sample) {
  const levels = greys(sample);
  return Math.max(1, levels.reduce((sum, level) => sum + level, 0) / levels.length);
}

// A gain, or as much of it as leaves the sample its detail.
function bounded(wanted, { data }, { white, least_gain: leastGain }) {
  if (wanted < leastGain) return 1;
  const brightest = new Uint32Array(256); // how many pixels have each level as their largest
  for (let place = 0; place < data.length; place += CHANNELS) {
    brightest[Math.max(data[place], data[place + 1], data[place + 2])] += 1;
  }
  return Math.min(wanted, 255 / Math.max(1, quantile(brightest, data.length / CHANNELS, 1 - white)));
}

function times(picture, gain, { least_gain: leastGain }) {
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
