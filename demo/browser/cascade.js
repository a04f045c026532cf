// MTCNN's three networks, one after the other; see resemotenet/reading/cascade.py, which this follows line by line.
//
// Boxes on the way are arrays [x1, y1, x2, y2, score, ...] of 32-bit numbers, as they are there: what is rounded down to
// whole pixels must be rounded down in both.

import { Means } from "./means.js";
import { CHANNELS } from "./pixels.js";

const float = Math.fround;

export class Cascade {
  // networks: three functions, a batch {data, dims} -> a list of outputs {data, dims}; settings: "cascade" of reader.json.
  constructor(networks, settings) {
    [this.proposals, this.refined, this.located] = networks;
    this.settings = settings;
  }

  // Faces of a picture that has an empty border of so many pixels: [{box, score, landmarks}].
  async find(picture, smallest, margin) {
    const { refined_overlap: refinedOverlap, contained, thresholds, located_side: side } = this.settings;
    const means = new Means(picture);
    const refined = await this.refine(means, (await this.propose(means, smallest, margin)).map(squared), refinedOverlap);
    const boxes = refined.map(({ box, move }) => squared(moved(box, move)));
    const { corners, inside } = within(boxes, picture);
    const looks = await this.look(means.parts(corners, side), corners.length);
    const good = looks.map((look, index) => ({ ...look, box: inside[index] })).filter(({ score }) => score > thresholds[2]);
    const faces = good.map(({ box: [x1, y1, x2, y2], move, score, landmarks }) => {
      const [width, height] = [x2 - x1 + 1, y2 - y1 + 1];
      return {
        box: moved([x1, y1, x2, y2, score], move),
        landmarks: landmarks.map(([x, y]) => [x * width + x1 - 1, y * height + y1 - 1]),
      };
    });
    return suppressContained(faces.map(({ box }) => box), contained).map((index) => {
      const [x1, y1, x2, y2, score] = faces[index].box;
      return { box: [x1, y1, x2, y2], score, landmarks: faces[index].landmarks };
    });
  }

  // What the last network says of squares, three planes each: moves of the corners and landmarks in sides, scores.
  async look(planes, count) {
    if (!count) return [];
    const side = this.settings.located_side;
    const [moves, landmarks, odds] = await this.located({ data: planes, dims: [count, CHANNELS, side, side] });
    return Array.from({ length: count }, (_, index) => ({
      move: [...moves.data.subarray(4 * index, 4 * index + 4)],
      landmarks: [0, 1, 2, 3, 4].map((point) => [landmarks.data[10 * index + point], landmarks.data[10 * index + 5 + point]]),
      score: probability(odds.data[index]),
    }));
  }

  // Boxes that may be faces.
  async propose(means, smallest, margin) {
    const found = [];
    for (const scale of this.scales(Math.min(means.width, means.height), smallest)) {
      found.push(...(await this.level(means, scale, margin)));
    }
    return suppress(found, this.settings.proposed_overlap).map((index) => {
      const [x1, y1, x2, y2, score, ...move] = found[index];
      const [width, height] = [x2 - x1, y2 - y1];
      return [x1 + move[0] * width, y1 + move[1] * height, x2 + move[2] * width, y2 + move[3] * height, score].map(float);
    });
  }

  // Of one size of the picture: boxes, scores and moves of the corners in sides.
  async level(means, scale, margin) {
    const { window, stride, thresholds, level_overlap: overlap } = this.settings;
    // Where a window holds nothing but margin there is nothing to be found.
    const skipped = Math.floor(Math.max(0, Math.trunc(margin * scale) - window) / stride) * stride;
    const [width, height] = [means.width, means.height].map((side) => Math.trunc(side * scale + 1));
    const level = means.whole(width, height, skipped);
    const [moves, odds] = await this.proposals({ data: level.planes, dims: [1, CHANNELS, level.height, level.width] });
    const [rows, columns] = odds.dims.slice(2);
    const least = float(Math.log(thresholds[0] / (1 - thresholds[0])));
    const boxes = [];
    for (let place = 0; place < rows * columns; place += 1) {
      if (odds.data[place] < least) continue;
      const corner = [(place % columns) * stride + skipped, Math.floor(place / columns) * stride + skipped];
      const ends = [1, window].flatMap((more) => corner.map((value) => Math.floor(float((value + more) / float(scale)))));
      const move = [0, 1, 2, 3].map((index) => moves.data[index * rows * columns + place]);
      boxes.push([...ends, probability(odds.data[place]), ...move]);
    }
    return suppress(boxes, overlap).map((index) => boxes[index]);
  }

  // Those of the boxes that still look like faces, and how their corners move, in sides.
  async refine(means, boxes, most) {
    const { refined_side: side, thresholds } = this.settings;
    const { corners, inside } = within(boxes, means);
    if (!corners.length) return [];
    const batch = { data: means.parts(corners, side), dims: [corners.length, CHANNELS, side, side] };
    const [moves, odds] = await this.refined(batch);
    const good = inside
      .map((box, index) => ({
        box: [...box.slice(0, 4), probability(odds.data[index])],
        move: [...moves.data.subarray(4 * index, 4 * index + 4)],
      }))
      .filter(({ box }) => box[4] > thresholds[1]);
    return suppress(good.map(({ box }) => box), most).map((index) => good[index]);
  }

  // By what the picture is multiplied for each level: at the first the smallest face fills a window.
  scales(side, smallest) {
    const { window, pyramid_factor: factor } = this.settings;
    const found = [];
    let scale = window / smallest;
    for (let left = side * scale; left >= window; left *= factor, scale *= factor) found.push(scale);
    return found;
  }
}

// The parts of boxes inside the picture in whole pixels, and which of the boxes have one.
function within(boxes, { width, height }) {
  const [corners, inside] = [[], []];
  for (const box of boxes) {
    const [x1, y1, x2, y2] = box.map(Math.trunc);
    const part = [Math.max(x1, 1) - 1, Math.max(y1, 1) - 1, Math.min(x2, width), Math.min(y2, height)];
    if (part[2] <= part[0] || part[3] <= part[1]) continue;
    corners.push(part);
    inside.push(box);
  }
  return { corners, inside };
}

const probability = (odds) => float(1 / (1 + Math.exp(-odds)));

// The square around a box's centre that is as wide as the longer side.
function squared([x1, y1, x2, y2, score]) {
  const [width, height] = [float(x2 - x1), float(y2 - y1)];
  const longer = Math.max(width, height);
  const [left, top] = [float(float(x1 + width * 0.5) - longer * 0.5), float(float(y1 + height * 0.5) - longer * 0.5)];
  return [left, top, float(left + longer), float(top + longer), score];
}

function moved([x1, y1, x2, y2, score], move) {
  const [width, height] = [float(float(x2 - x1) + 1), float(float(y2 - y1) + 1)];
  const sides = [width, height, width, height];
  return [...[x1, y1, x2, y2].map((corner, index) => float(corner + float(move[index] * sides[index]))), score];
}

// Of boxes that share more than this (intersection over union), the best; the best first.
function suppress(boxes, most) {
  return freeOnes(boxes, 0, (shared, area, other) => shared <= most * (area + other - shared));
}

// Of boxes that share more than this part of the smaller one, the best; the best first. Their last pixels count.
function suppressContained(boxes, most) {
  return freeOnes(boxes, 1, (shared, area, other) => shared / Math.min(area, other) <= most);
}

// Indices of the boxes that are free of every better one. more: what the length of [x1, x2] has beyond x2 - x1.
function freeOnes(boxes, more, free) {
  const areas = boxes.map(([x1, y1, x2, y2]) => (x2 - x1 + more) * (y2 - y1 + more));
  const order = boxes.map((_, index) => index).sort((one, other) => boxes[other][4] - boxes[one][4]);
  const kept = [];
  for (const index of order) {
    const [x1, y1, x2, y2] = boxes[index];
    const alone = kept.every((best) => {
      const other = boxes[best];
      const width = Math.max(0, Math.min(x2, other[2]) - Math.max(x1, other[0]) + more);
      const height = Math.max(0, Math.min(y2, other[3]) - Math.max(y1, other[1]) + more);
      return free(width * height, areas[index], areas[best]);
    });
    if (alone) kept.push(index);
  }
  return kept;
}
