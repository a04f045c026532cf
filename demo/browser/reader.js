// The reader: pictures and frames of a camera in, the one JSON out; see resemotenet/reading/predictor.py and demo/live.py.

import { Cascade } from "./cascade.js";
import { cropBox, cropRoll, cut } from "./crops.js";
import { Detector } from "./detector.js";
import { clip, decimals, suppressOverlaps } from "./faces.js";
import { lightened } from "./light.js";
import { Network, levels } from "./network.js";
import { round } from "./pixels.js";
import { best, track, visible } from "./tracking.js";

export class Reader {
  // settings: what reader.json holds; run(file): a graph as a function, a batch {data, dims} -> [{data, dims}].
  constructor(settings, run) {
    const cascade = new Cascade(settings.cascade.files.map(run), settings.cascade);
    const { max_overlap: most } = settings.faces;
    this.settings = settings;
    this.network = new Network(run(settings.network.file), settings.network);
    this.detector = new Detector(cascade, settings.detector, most, settings.light);
    // Upright and once: an empty room would be searched nine times, frame after frame.
    const quick = { ...settings.detector, max_side: settings.live.search_side, thorough: false };
    this.finder = new Detector(cascade, quick, most, settings.light);
  }

  // {report, looks}: the report of an upright picture, and of each face what the network saw, grey, in whole levels.
  async read(picture) {
    const found = await this.detector.detect(lightened(picture, this.settings.light));
    const faces = await this.emotions(picture, found);
    const { schema, model } = this.settings;
    const image = { width: picture.width, height: picture.height };
    const report = { schema, model, image, faces: faces.map((face) => this.told(face)) };
    return { report, looks: faces.map(({ look }) => Uint8ClampedArray.from(look)) };
  }

  // Which places of one face speak for an emotion: {pixels, text}. Of a picture the face at ``box``, turned by ``roll``; or,
  // without a box, the picture is what the network saw.
  explain(picture, { box, roll, label }) {
    const { crops, light, network } = this.settings;
    const crop = box ? cut(picture, box, roll, crops, light) : picture;
    return this.explainer.explain(levels(crop, network.preprocess).map(round), label);
  }

  // Read one frame of a camera, as the server's ``live.answer`` does: {faces, memory, ms}. time, smoothing: seconds;
  // memory: null or what the answer to the frame before held, from here or from the server.
  async answer(frame, { time, smoothing, memory }) {
    const started = performance.now();
    const { faces, searched } = await this.find(lightened(frame, this.settings.light), memory, time);
    const located = performance.now();
    const read = await this.emotions(frame, faces);
    const { state, faces: tracked } = track(memory, read, { time, smoothing }, this.settings.tracking);
    return {
      faces: tracked.map((face) => ({ number: face.number, ...this.told(face) })),
      memory: { searched, ...state },
      ms: { decode: 0, find: located - started, read: performance.now() - located },
    };
  }

  // The faces of a frame, and when the whole of one was searched last: where nobody is followed, where one was lost or two
  // have become one, and every so many seconds. Where nobody is found, its shadows are searched now and then.
  async find(frame, memory, time) {
    const { search_every: every, backlit_every: backlitEvery } = this.settings.following;
    const { max_faces: most } = this.settings.live;
    const boxes = visible(memory);
    if (boxes.length && time - memory.searched < every) {
      const followed = (await this.finder.follow(frame, boxes)).filter((face) => face);
      const faces = suppressOverlaps(followed, this.settings.faces.max_overlap);
      if (faces.length === boxes.length) return { faces, searched: memory.searched };
    }
    let faces = await this.finder.detect(frame);
    if (!faces.length && !(memory?.searched >= time - (time % backlitEvery))) faces = await this.finder.detectBacklit(frame);
    return { faces: faces.slice(0, most), searched: time };
  }

  // What is read of faces that were found, in the words of a report; nothing is rounded yet.
  async emotions(picture, found) {
    const { crops, light, network } = this.settings;
    const places = found
      .filter(({ box }) => clip(box, picture))
      .map((face) => ({ face, square: cropBox(face.box, picture, crops), roll: cropRoll(face, crops) }));
    const looks = places.map(({ square, roll }) => levels(cut(picture, square, roll, crops, light), network.preprocess));
    const rows = await this.network.probabilities(looks);
    return places.map(({ face, square, roll }, index) => ({
      box: clip(face.box, picture),
      crop_box: square,
      crop_roll: roll,
      detection_score: face.score,
      look: looks[index],
      ...this.inOrder(best(network.labels.map((label, column) => [label, rows[index][column]]))),
    }));
  }

  // As reports show them, which may be another order than that of the network's outputs.
  inOrder({ probabilities, ...face }) {
    const { shown } = this.settings.network;
    return { ...face, probabilities: Object.fromEntries(shown.map((label) => [label, probabilities[label]])) };
  }

  // A face as reports hold it.
  told({ box, crop_box: square, crop_roll: roll, detection_score: score, label, confidence, probabilities }) {
    const shares = Object.entries(probabilities);
    return {
      box: box.map((value) => decimals(value, 2)),
      crop_box: square,
      crop_roll: roll,
      detection_score: decimals(score, 6),
      label,
      confidence: decimals(confidence, 6),
      not_sure: notSure(label, shares, this.settings.network.sure_margin),
      probabilities: Object.fromEntries(shares.map(([name, share]) => [name, decimals(share, 6)])),
    };
  }
}

// The label and the emotion next to it where the two are close, else null.
function notSure(label, shares, margin) {
  const others = shares.filter(([name]) => name !== label);
  if (margin === null || !others.length) return null;
  const { label: second, confidence } = best(others);
  return shares.find(([name]) => name === label)[1] - confidence < margin ? [label, second] : null;
}
