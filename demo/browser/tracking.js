// Who is who from one frame to the next, and probabilities that do not flicker; see resemotenet/reading/tracking.py.
//
// The state is what that module writes as JSON: {time, tracks: [{number, box, probabilities, seen, velocity}]}, null before
// the first frame. So server and device can take turns.

import { decimals, overlap } from "./faces.js";

// The boxes of those seen in the last frame.
export function visible(state) {
  return state ? state.tracks.filter(({ seen }) => seen === state.time).map(({ box }) => box) : [];
}

// The new state, and each face with its number and the smoothed probabilities. faces: as a report holds them, with
// probabilities and boxes not yet rounded; settings: "tracking" of reader.json; time, smoothing: seconds.
export function track(state, faces, { time, smoothing }, settings) {
  const known = (state?.tracks ?? []).filter(({ seen }) => time - seen <= settings.memory);
  const matches = matched(known, faces, time, settings.min_overlap);
  const taken = new Set(known.map(({ number }) => number));
  const tracked = faces.map((face, index) => {
    const before = matches.get(index);
    if (before) return { number: before.number, ...smoothed(face, before, time, smoothing) };
    let number = 1;
    while (taken.has(number)) number += 1;
    taken.add(number);
    return { number, ...face };
  });
  const seen = new Set(matches.values());
  const tracks = tracked.map(({ number, box, probabilities }, index) => ({
    number,
    box: box.map((value) => decimals(value, 1)),
    probabilities,
    seen: time,
    velocity: velocity(box, matches.get(index), time, settings.steady).map((value) => decimals(value, 1)),
  }));
  const all = [...tracks, ...known.filter((each) => !seen.has(each))].sort((one, other) => one.number - other.number);
  return { state: { time, tracks: all }, faces: tracked };
}

// Index of a face -> the track it continues: the assignment with the largest sum of overlaps. A face is where it was, or
// where its way led: of two who pass each other the one behind is hidden for a while.
function matched(known, faces, time, least) {
  const overlaps = faces.map(({ box }) => known.map((each) => Math.max(overlap(box, each.box), overlap(box, expected(each, time)))));
  const pairs = assignment(overlaps.map((row) => row.map((value) => -value)));
  return new Map(pairs.filter(([row, column]) => overlaps[row][column] >= least).map(([row, column]) => [row, known[column]]));
}

function expected({ box: [x1, y1, x2, y2], velocity: speeds, seen }, time) {
  const [x, y] = speeds.map((speed) => speed * (time - seen));
  return [x1 + x, y1 + y, x2 + x, y2 + y];
}

// Of a box's centre, pixels a second, smoothed.
function velocity(box, before, time, steady) {
  if (!before) return [0, 0];
  const passed = time - before.seen;
  const weight = 1 - Math.exp(-passed / steady);
  return [0, 1].map((axis) => {
    const moved = (box[axis] + box[axis + 2] - before.box[axis] - before.box[axis + 2]) / 2 / passed;
    return before.velocity[axis] + weight * (moved - before.velocity[axis]);
  });
}

// Rows to columns with the smallest sum, every row or every column once: the Hungarian method, by shortest paths.
export function assignment(costs) {
  if (!costs.length || !costs[0].length) return [];
  if (costs.length > costs[0].length) {
    const turned = costs[0].map((_, column) => costs.map((row) => row[column]));
    return assignment(turned).map(([column, row]) => [row, column]);
  }
  const [rows, columns] = [costs.length, costs[0].length];
  const [rowPrice, columnPrice] = [new Array(rows + 1).fill(0), new Array(columns + 1).fill(0)];
  const rowOf = new Array(columns + 1).fill(0); // 0: free; rows and columns are counted from 1
  for (let row = 1; row <= rows; row += 1) {
    const [least, way, done] = [new Array(columns + 1).fill(Infinity), [], new Set()];
    rowOf[0] = row;
    let column = 0;
    while (rowOf[column]) {
      done.add(column);
      let [step, next] = [Infinity, 0];
      for (let other = 1; other <= columns; other += 1) {
        if (done.has(other)) continue;
        const cost = costs[rowOf[column] - 1][other - 1] - rowPrice[rowOf[column]] - columnPrice[other];
        if (cost < least[other]) [least[other], way[other]] = [cost, column];
        if (least[other] < step) [step, next] = [least[other], other];
      }
      for (let other = 0; other <= columns; other += 1) {
        if (done.has(other)) {
          rowPrice[rowOf[other]] += step;
          columnPrice[other] -= step;
        } else least[other] -= step;
      }
      column = next;
    }
    for (; column; column = way[column]) rowOf[column] = rowOf[way[column]];
  }
  return rowOf.flatMap((row, column) => (row && column ? [[row - 1, column - 1]] : []));
}

// Exponential smoothing with the true time between the frames, so that it is the same at any frame rate.
function smoothed(face, before, time, smoothing) {
  if (!smoothing) return face;
  const weight = 1 - Math.exp(-(time - before.seen) / smoothing);
  const mixed = Object.entries(face.probabilities).map(([label, value]) => {
    const old = before.probabilities[label];
    return [label, old + weight * (value - old)];
  });
  return { ...face, ...best(mixed) };
}

// Of [label, probability] pairs: what a report says of a face.
export function best(pairs) {
  const [label, confidence] = pairs.reduce((most, pair) => (pair[1] > most[1] ? pair : most));
  return { label, confidence, probabilities: Object.fromEntries(pairs) };
}
