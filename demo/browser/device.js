// The reader as a page has it: ``openDevice`` starts the worker, whose answers are those of the server.

// A module with one instruction on 128 bits.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

// Why this browser cannot read, or undefined where it can.
export function missing() {
  if (!globalThis.WebAssembly?.validate(SIMD)) return "WebAssembly with SIMD";
  if (!globalThis.Worker) return "workers";
  if (!globalThis.DecompressionStream) return "DecompressionStream";
  return undefined;
}

// Ready when faces can be looked for, which is before the last of the files is here; rejects where anything is missing.
// progress: told (bytes here, bytes in all) of what is fetched.
export async function openDevice(progress = () => {}) {
  if (missing()) throw new Error(`this browser has no ${missing()}`);
  const asked = fetch(new URL("reader.json", import.meta.url), { cache: "no-cache" }); // while the worker starts
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const waiting = new Map();
  let count = 0;
  const fail = (message) => {
    worker.terminate();
    for (const { reject } of waiting.values()) reject(new Error(message));
    waiting.clear();
  };
  worker.addEventListener("error", (event) => fail(event.message || "the worker could not be started"));
  worker.addEventListener("message", ({ data }) => {
    if (data.progress) {
      progress(...data.progress);
      return;
    }
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.problem === undefined) resolve(data.answer);
    else reject(new Error(data.problem));
  });
  const ask = (kind, asked = {}, moved = []) => new Promise((resolve, reject) => {
    const id = (count += 1);
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, kind, ...asked }, moved);
  });
  let settings;
  try {
    settings = await (await asked).json();
    await ask("open", { settings });
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return {
    settings,
    // pixels: ImageData; its memory moves to the worker. The rest as the server's ``read_frame`` takes it.
    answer: (pixels, asked) => ask("answer", { pixels: plain(pixels), ...asked }, [pixels.data.buffer]),
    read: (pixels) => ask("read", { pixels: plain(pixels) }, [pixels.data.buffer]),
    explain: (pixels, asked) => ask("explain", { pixels: plain(pixels), ...asked }, [pixels.data.buffer]),
    close: () => fail("the reader was closed"),
  };
}

const plain = ({ data, width, height }) => ({ data, width, height });
