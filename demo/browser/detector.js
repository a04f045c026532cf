// The face detector: searches a picture, searches it turned where nobody stands upright, follows faces from frame to
// frame; see resemotenet/reading/detector.py.

import { clip, roll, suppressOverlaps } from "./faces.js";
import { faceLightened, shadows } from "./light.js";
import { CHANNELS, crop, expand, round } from "./pixels.js";
import { resize, resizeWithGap, rotate } from "./resample.js";

export class Detector {
  // settings: "detector" of reader.json, perhaps with another max_side or not thorough; most: the overlap of two faces;
  // light: "light" of reader.json.
  constructor(cascade, settings, most, light) {
    [this.cascade, this.settings, this.most, this.light] = [cascade, settings, most, light];
  }

  // Every face of an upright picture, largest first.
  async detect(picture) {
    const { thorough, turns, turned_score: turnedScore, min_score: minScore, max_side: maxSide } = this.settings;
    let faces = await this.search(picture);
    if (!faces.length && thorough) faces = await this.searchShadows(picture);
    if (!faces.length && thorough) {
      let best = 0;
      for (const degrees of turns) {
        const found = await this.searchTurned(picture, degrees);
        const score = Math.max(0, ...found.map((face) => face.score));
        if (score > best) [best, faces] = [score, found];
      }
      faces = faces.filter(({ score }) => score >= turnedScore);
    }
    faces = suppressOverlaps(faces.filter(({ box }) => clip(box, picture)), this.most);
    if (!faces.length || !thorough) return faces;
    const small = atMost(picture, maxSide);
    const seen = [];
    for (const face of faces) seen.push(await this.seenAround(small, face, small.width / picture.width));
    return seen.filter(({ score }) => score >= minScore);
  }

  // Every face that stands upright in the picture's shadows, largest first.
  async detectBacklit(picture) {
    return suppressOverlaps((await this.searchShadows(picture)).filter(({ box }) => clip(box, picture)), this.most);
  }

  // Where faces that were at these boxes a moment ago are now; undefined for one that is not there any more.
  async follow(picture, boxes) {
    const side = this.cascade.settings.located_side;
    const squares = boxes.map(square);
    const looks = await this.cascade.look(planes(squares.map((each) => shrunk(picture, each, side, this.light))), squares.length);
    return looks.map(({ move, landmarks, score }, index) => {
      if (score < this.cascade.settings.thresholds[2]) return undefined;
      const [x, y, right] = squares[index];
      const box = squares[index].map((corner, place) => corner + (right - x) * move[place]);
      const points = landmarks.map(([across, down]) => [x + (right - x) * across, y + (right - x) * down]);
      return clip(box, picture) ? { box, score, landmarks: points } : undefined;
    });
  }

  async search(picture) {
    const { max_side: maxSide, min_face: minFace, min_score: minScore, margin: share, grey } = this.settings;
    const searched = atMost(picture, maxSide);
    const ratio = [picture.width / searched.width, picture.height / searched.height];
    const margin = round(share * Math.min(searched.width, searched.height));
    const found = await this.cascade.find(expand(searched, margin, grey), minFace, margin);
    return found
      .filter(({ score }) => score >= minScore)
      .map(({ box, score, landmarks }) => ({
        box: box.map((value, place) => (value - margin) * ratio[place % 2]),
        score: Math.min(1, score),
        landmarks: landmarks.map((point) => point.map((value, axis) => (value - margin) * ratio[axis])),
      }));
  }

  async searchShadows(picture) {
    const exposed = shadows(picture, this.light);
    const found = exposed ? await this.search(exposed) : [];
    return found.filter(({ score }) => score >= this.settings.backlit_score);
  }

  async searchTurned(picture, degrees) {
    const small = atMost(picture, Math.floor(this.settings.max_side / 2));
    const turned = rotate(small, degrees, { grow: true, color: this.settings.grey });
    return (await this.search(turned)).map((face) => turnedBack(face, degrees, turned, small, picture));
  }

  // A face with the landmarks seen from the side from which it is by far most surely one; else as it is. ``small`` is the
  // picture, ``scale`` times as large as the one whose pixels the face is in.
  async seenAround(small, face, scale) {
    const sides = [0, ...this.settings.turns].map((degrees) => roll(face) + degrees);
    const around = square(face.box.map((value) => value * scale));
    const views = fromAllSides(small, around, sides, this.cascade.settings.located_side, this.light);
    const looks = await this.cascade.look(planes(views), views.length);
    const odds = looks.map(({ score }) => score / Math.max(1 - score, 1e-9));
    const best = odds.indexOf(Math.max(...odds));
    if (odds[best] <= this.settings.surer * odds[0]) return face;
    const side = around[2] - around[0];
    const places = looks[best].landmarks.map(([x, y]) => {
      const [across, down] = straightened([x - 0.5, y - 0.5], sides[best]);
      return [(across * side + around[0] + side / 2) / scale, (down * side + around[1] + side / 2) / scale];
    });
    return { box: face.box, score: looks[best].score, landmarks: places };
  }
}

// A picture no longer than that; itself if it is not.
function atMost(picture, side) {
  const shrink = Math.min(1, side / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((length) => Math.max(1, round(length * shrink)));
  return resizeWithGap(picture, width, height);
}

// Where (x, y) about the centre of a picture turned counterclockwise was before.
function straightened([x, y], degrees) {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [x * cos - y * sin, x * sin + y * cos];
}

// A face of ``turned`` in pixels of ``picture``. Its box is upright again: of the same area, wide where it was high after
// a quarter turn, square after an eighth.
function turnedBack({ box: [x1, y1, x2, y2], score, landmarks }, degrees, turned, small, picture) {
  const ratio = [picture.width / small.width, picture.height / small.height];
  const [[x, y], ...points] = [[(x1 + x2) / 2, (y1 + y2) / 2], ...landmarks].map(([across, down]) => {
    const place = straightened([across - turned.width / 2, down - turned.height / 2], degrees);
    return [(place[0] + small.width / 2) * ratio[0], (place[1] + small.height / 2) * ratio[1]];
  });
  const [width, height] = [Math.log((x2 - x1) * ratio[0]), Math.log((y2 - y1) * ratio[1])];
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180) ** 2, Math.sin((degrees * Math.PI) / 180) ** 2];
  const half = [Math.exp(cos * width + sin * height) / 2, Math.exp(sin * width + cos * height) / 2];
  return { box: [x - half[0], y - half[1], x + half[0], y + half[1]], score, landmarks: points };
}

// The square around a box, as large as its longer side.
function square([x1, y1, x2, y2]) {
  const half = Math.max(x2 - x1, y2 - y1) / 2;
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return [x - half, y - half, x + half, y + half];
}

function shrunk(picture, [left, top, right], side, light) {
  const [x, y, length] = [round(left), round(top), Math.max(1, round(right - left))];
  return faceLightened(resizeWithGap(crop(picture, x, y, x + length, y + length), side, side), light);
}

// What is in a square, turned counterclockwise about its centre by each of these degrees. Looked at twice as large as the
// network wants it, out of a picture in which the square still lies when it is turned.
function fromAllSides(picture, [x1, y1, x2, y2], turns, side, light) {
  const margin = ((x2 - x1) * (Math.SQRT2 - 1)) / 2;
  const part = crop(picture, round(x1 - margin), round(y1 - margin), round(x2 + margin), round(y2 + margin));
  const half = Math.ceil(side * Math.SQRT2);
  const around = faceLightened(resizeWithGap(part, 2 * half, 2 * half), light);
  const box = [half - side, half - side, half + side, half + side];
  return turns.map((degrees) => resize(rotate(around, degrees), side, side, "box", box));
}

// Pictures of one size as three planes of floats each.
function planes(pictures) {
  const size = pictures.length ? pictures[0].width * pictures[0].height : 0;
  const result = new Float32Array(pictures.length * CHANNELS * size);
  pictures.forEach(({ data }, number) => {
    for (let place = 0; place < size; place += 1) {
      for (let channel = 0; channel < CHANNELS; channel += 1) {
        result[(number * CHANNELS + channel) * size + place] = data[place * CHANNELS + channel];
      }
    }
  });
  return result;
}
