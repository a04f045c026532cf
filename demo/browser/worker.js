// Where the reader runs, so that the page never waits for it. Messages in: {id, kind, ...}; out: {id, answer} or
// {id, problem}, and while files arrive {progress: [here, total]}.

import { Explainer } from "./explain.js";
import { load } from "./files.js";
import { Halves } from "./halves.js";
import { fromCanvas } from "./pixels.js";
import { Reader } from "./reader.js";
import { open, openNamed, prepare } from "./runs.js";

const RUNTIME = "ort.wasm";

const base = new URL(".", import.meta.url).href;
let reader;
let frame; // of the camera, the last one

const kinds = {
  // Fetches what is missing and gets ready.
  async open() {
    const settings = await (await fetch(new URL("reader.json", base), { cache: "no-cache" })).json();
    const graphs = [...settings.cascade.files, settings.network.file];
    const explaining = settings.explain?.file;
    const progress = (here, total) => postMessage({ progress: [here, total] });
    const files = await load([RUNTIME, ...graphs, ...(explaining ? [explaining] : [])], settings.downloads, base, progress);
    prepare(files[RUNTIME]);
    const contents = Object.fromEntries(graphs.map((file) => [file, files[file]]));
    const halves = new Halves({ wasm: files[RUNTIME], graphs: contents });
    const runs = {};
    for (const file of graphs) runs[file] = halves.of(file, await open(new Uint8Array(files[file])));
    reader = new Reader(settings, (file) => runs[file]);
    const explain = lazily(() => explained(files, settings));
    if (explaining) reader.explainer = new Explainer(explain, reader.network, settings.explain);
    return settings;
  },

  // One frame of a camera: pixels as a canvas gives them.
  answer: ({ pixels, ...asked }) => reader.answer((frame = fromCanvas(pixels, frame)), asked),

  // The report of a picture: pixels as a canvas gives them.
  read: ({ pixels }) => reader.read(fromCanvas(pixels)),

  // "Why?": pixels of a picture, and of a face in it box, roll and label; or of what the network saw, without a box.
  explain: ({ pixels, ...asked }) => reader.explain(fromCanvas(pixels), asked),
};

// Its weights are in memory once more, in 32 bits, so it is opened when it is wanted first.
const explained = (files, { explain, network }) => {
  const beside = { [network.file]: new Uint8Array(files[network.file]) };
  return openNamed(new Uint8Array(files[explain.file]), beside);
};

function lazily(open) {
  let opened;
  return async (...asked) => (await (opened ??= open()))(...asked);
}

// One after the other: a network computes one batch at a time.
let last = Promise.resolve();
addEventListener("message", ({ data: { id, kind, ...asked } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, answer: await kinds[kind](asked) });
    } catch (error) {
      postMessage({ id, problem: String(error?.message ?? error) });
    }
  });
});
