// The second worker of halves.js. Messages in: {files}, and then {name, batch}; out: {} when it is ready, {outputs}. What
// fails is an "error" of the worker's.

import { open, prepare } from "./runs.js";

const runs = {};

addEventListener("message", async ({ data: { files, name, batch } }) => {
  try {
    if (files) {
      const [[, wasm], ...graphs] = Object.entries(files);
      prepare(wasm);
      for (const [graph, content] of graphs) runs[graph] = await open(new Uint8Array(content));
      postMessage({});
    } else {
      const outputs = await runs[name](batch);
      postMessage({ outputs: outputs.map(({ data, dims }) => ({ data, dims })) });
    }
  } catch (error) {
    setTimeout(() => {
      throw error; // in a promise it would not be one of the worker's
    });
  }
});
