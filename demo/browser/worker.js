// Where the reader runs, so that the page never waits for it. Messages in: {id, kind, ...}; out: {id, answer} or
// {id, problem}, and while files arrive {progress: [here, total]}.

import { load } from "./files.js";

// What computes is fetched beside the large files, and not before them.
const modules = ["explain", "halves", "pixels", "reader", "runs"].map((name) => import(`./${name}.js`));
const RUNTIME = "ort.wasm";

const base = new URL(".", import.meta.url).href;
let fromCanvas, openNamed; // of the modules
let reader;
let frame; // of the camera, the last one

const kinds = {
  // Fetches what is missing and gets ready to look for faces. The network, by far the largest file, comes last: who asks for
  // emotions waits for it. settings: what reader.json holds.
  async open({ settings }) {
    const { cascade, network, explain, downloads } = settings;
    const graphs = [...cascade.files, network.file];
    const progress = (here, total) => postMessage({ progress: [here, total] });
    const files = await load([RUNTIME, ...graphs, ...(explain ? [explain.file] : [])], downloads, base, progress);
    const [{ Explainer }, { Halves }, pixels, { Reader }, runtime] = await Promise.all(modules);
    ({ fromCanvas } = pixels);
    ({ openNamed } = runtime);
    runtime.prepare(await files[RUNTIME]);
    const halves = new Halves(all([RUNTIME, ...graphs], files));
    const opened = async (file) => runtime.open(new Uint8Array(await files[file]));
    const runs = {};
    for (const file of cascade.files) runs[file] = halves.of(file, await opened(file));
    const last = opened(network.file);
    last.catch(() => undefined); // who reads hears of it
    runs[network.file] = halves.of(network.file, async (batch) => (await last)(batch));
    reader = new Reader(settings, (file) => runs[file]);
    if (explain) reader.explainer = new Explainer(lazily(() => explained(files, settings)), reader.network, explain);
  },

  // One frame of a camera: pixels as a canvas gives them.
  answer: ({ pixels, ...asked }) => reader.answer((frame = fromCanvas(pixels, frame)), asked),

  // The report of a picture: pixels as a canvas gives them.
  read: ({ pixels }) => reader.read(fromCanvas(pixels)),

  // "Why?": pixels of a picture, and of a face in it box, roll and label; or of what the network saw, without a box.
  explain: ({ pixels, ...asked }) => reader.explain(fromCanvas(pixels), asked),
};

// Its weights are in memory once more, in 32 bits, so it is opened when it is wanted first.
const explained = async (files, { explain, network }) => {
  const beside = { [network.file]: new Uint8Array(await files[network.file]) };
  return openNamed(new Uint8Array(await files[explain.file]), beside);
};

// name -> content, once all of these are here.
async function all(names, files) {
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await files[name]])));
}

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
