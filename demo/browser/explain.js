// "Why?": which places of a face speak for an emotion, and the picture of it; see resemotenet/reading/explain.py.
//
// The graph gives the map of one image; here it is averaged with that of the mirror image where the network's answer is,
// enlarged, and laid over what the network saw.

import { CHANNELS, round } from "./pixels.js";
import { resize, resizeNumbers } from "./resample.js";

export class Explainer {
  // run: ({name: {data, dims}}) -> [{data, dims}]; network: of network.js; settings: "explain" of reader.json.
  constructor(run, network, settings) {
    [this.run, this.network, this.settings] = [run, network, settings];
  }

  // look: whole grey levels of what the network saw, row by row. Gives {pixels: a square as a canvas takes it, text,
  // evidence: the map before any scaling, row by row}.
  async explain(look, label) {
    const { reason, no_reason: noReason } = this.settings;
    const { cells, rows, columns } = await this.evidence(look, label);
    const heat = this.heat(cells, rows, columns);
    const words = heat ? reason : noReason;
    const text = words.replace("{label}", label).replace("{columns}", columns).replace("{rows}", rows);
    return { pixels: this.overlay(look, heat), text, evidence: [...cells] };
  }

  // Cells in rows and columns, positive where they speak for the emotion.
  async evidence(look, label) {
    const { labels, input } = this.network.settings;
    const batch = this.network.views([look]);
    const chosen = new Float32Array(batch.dims[0] * labels.length);
    for (let at = labels.indexOf(label); at < chosen.length; at += labels.length) chosen[at] = 1;
    const asked = { [input]: batch, [this.settings.emotion]: { data: chosen, dims: [batch.dims[0], labels.length] } };
    const [{ data, dims }] = await this.run(asked);
    const [views, rows, columns] = dims;
    const size = rows * columns;
    const cells = Float32Array.from({ length: size }, (_, place) => {
      if (views === 1) return data[place];
      const column = place % columns;
      return (data[place] + data[size + place - column + columns - 1 - column]) / 2;
    });
    return { cells, rows, columns };
  }

  // From 0 to 1 at the size of the network's input; undefined where nothing speaks for the emotion.
  heat(cells, rows, columns) {
    const { size } = this.network.settings.preprocess;
    const heat = resizeNumbers(cells.map((cell) => Math.max(0, cell)), columns, rows, size, size);
    const peak = Math.max(...heat);
    return peak > 0 ? heat.map((value) => value / peak) : undefined;
  }

  overlay(look, heat) {
    const { size } = this.network.settings.preprocess;
    const { side, colors, beneath, opacity } = this.settings;
    const grey = { data: new Uint8Array(look.length * CHANNELS), width: size, height: size };
    for (let to = 0; to < grey.data.length; to += 1) grey.data[to] = look[Math.floor(to / CHANNELS)];
    const { data } = resize(grey, side, side, "bicubic");
    const large = heat ? resizeNumbers(heat, size, size, side, side) : new Float32Array(side * side);
    const pixels = new Uint8ClampedArray(4 * side * side).fill(255);
    large.forEach((value, place) => {
      const share = Math.min(1, Math.max(0, value));
      const along = share * (colors.length - 1);
      const step = Math.min(colors.length - 2, Math.floor(along));
      const dark = beneath * data[place * CHANNELS];
      for (let channel = 0; channel < CHANNELS; channel += 1) {
        const [low, high] = [colors[step][channel], colors[step + 1][channel]];
        const color = low + (high - low) * (along - step);
        pixels[4 * place + channel] = round(dark + opacity * share * (color - dark));
      }
    });
    return { data: pixels, width: side, height: side };
  }
}
