// From a detected face to the square that a model sees; see resemotenet/reading/crops.py.

import { area, clip, decimals, roll } from "./faces.js";
import { faceLightened } from "./light.js";
import { continued, crop, round } from "./pixels.js";
import { reduce, transform } from "./resample.js";

// The square that a model should see, for a face detected at ``box``. settings: "crops" of reader.json.
export function cropBox([x1, y1, x2, y2], { width, height }, { scale, down }) {
  const mean = Math.sqrt(area([x1, y1, x2, y2]));
  const side = Math.min(Math.max(1, round(scale * mean)), width, height);
  const left = Math.min(Math.max(round((x1 + x2 - side) / 2), 0), width - side);
  const top = Math.min(Math.max(round((y1 + y2 - side) / 2 + down * mean), 0), height - side);
  return [left, top, left + side, top + side];
}

// The roll of a face's square, degrees: that of the face, or less where it is small.
export function cropRoll(face, { level }) {
  const measured = roll(face);
  const applied = Math.min(Math.abs(measured), Math.max(0, 2 * (Math.abs(measured) - level)));
  return applied ? decimals(Math.sign(measured) * applied, 2) : 0;
}

// What is in a square of a picture that is turned clockwise about its centre by so many degrees, lightened where the face
// in it is dark. light: "light" of reader.json.
export function cut(picture, [x1, y1, x2, y2], degrees, { rolled_side: rolledSide }, light) {
  if (!degrees) return faceLightened(crop(picture, x1, y1, x2, y2), light);
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const whole = x2 - x1;
  // The turned square lies in an upright one that is larger by this much on each side.
  const more = Math.ceil((whole / 2) * (Math.abs(cos) + Math.abs(sin) - 1));
  const outer = [x1 - more, y1 - more, x2 + more, y2 + more];
  const [left, top, right, bottom] = clip(outer, picture);
  const shrink = 2 ** Math.max(0, Math.trunc(Math.log2(whole / rolledSide)));
  const around = continued(reduce(picture, shrink, shrink, [left, top, right, bottom]), {
    left: round((left - outer[0]) / shrink),
    top: round((top - outer[1]) / shrink),
    right: round((outer[2] - right) / shrink),
    bottom: round((outer[3] - bottom) / shrink),
  });
  const side = Math.floor(whole / shrink);
  // From a place in the crop to that in the picture, both centres the same.
  const across = [cos, -sin, around.width / 2 - ((cos - sin) * side) / 2];
  const down = [sin, cos, around.height / 2 - ((sin + cos) * side) / 2];
  return faceLightened(transform(around, side, side, [...across, ...down]), light);
}
