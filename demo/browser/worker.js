// Where the reader runs, so that the page never waits for it. Messages in: {id, kind, ...}; out: {id, answer} or
// {id, problem}, and while files arrive {progress: [here, total]}.

import { load } from "./files.js";
import { env, InferenceSession, Tensor } from "./ort.js";
import { fromCanvas } from "./pixels.js";
import { Reader } from "./reader.js";

const RUNTIME = "ort.wasm";

const base = new URL(".", import.meta.url).href;
let reader;

const kinds = {
  // Fetches what is missing and gets ready.
  async open() {
    const settings = await (await fetch(new URL("reader.json", base), { cache: "no-cache" })).json();
    const graphs = [...settings.cascade.files, settings.network.file];
    const progress = (here, total) => postMessage({ progress: [here, total] });
    const files = await load([RUNTIME, ...graphs], settings.downloads, base, progress);
    env.wasm.numThreads = 1; // more need a page that is cut off from others (COOP, COEP), which frames of a Space are not
    env.wasm.wasmBinary = files[RUNTIME];
    const runs = {};
    for (const file of graphs) runs[file] = await session(new Uint8Array(files[file]));
    reader = new Reader(settings, (file) => runs[file]);
    return settings;
  },

  // One frame of a camera: pixels as a canvas gives them.
  answer: ({ pixels, ...asked }) => reader.answer(fromCanvas(pixels), asked),

  // The report of a picture: pixels as a canvas gives them.
  read: ({ pixels }) => reader.read(fromCanvas(pixels)),
};

async function session(content) {
  const opened = await InferenceSession.create(content, { executionProviders: ["wasm"] });
  const [input] = opened.inputNames;
  return async ({ data, dims }) => {
    const tensor = new Tensor("float32", data, dims);
    const outputs = await opened.run({ [input]: tensor });
    return opened.outputNames.map((name) => outputs[name]);
  };
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
