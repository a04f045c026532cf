// Graphs in ONNX Runtime Web, as functions of a batch {data, dims}.

import { env, InferenceSession, Tensor } from "./ort.js";

// wasm: the runtime's binary. Once, before anything is opened.
export function prepare(wasm) {
  env.wasm.numThreads = 1; // more need a page that is cut off from others (COOP, COEP), which frames of a Space are not
  env.wasm.wasmBinary = wasm;
}

// A graph with one input: a batch -> its outputs.
export async function open(content) {
  const run = await openNamed(content);
  return (batch) => run({ [run.inputs[0]]: batch });
}

// A graph of several inputs: {name: batch} -> its outputs. beside: {name: content} of files in which its weights stand.
export async function openNamed(content, beside = {}) {
  const externalData = Object.entries(beside).map(([path, data]) => ({ path, data }));
  const session = await InferenceSession.create(content, { executionProviders: ["wasm"], externalData });
  const run = async (batches) => {
    const tensors = Object.entries(batches).map(([name, { data, dims }]) => [name, new Tensor("float32", data, dims)]);
    const outputs = await session.run(Object.fromEntries(tensors));
    return session.outputNames.map((name) => outputs[name]);
  };
  return Object.assign(run, { inputs: session.inputNames });
}
