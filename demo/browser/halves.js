// Networks on two cores: half of a large batch is computed by a second worker, which the first such batch starts. Rows of a
// batch are computed each for itself, so the answers are the same.

const LEAST = 4; // rows from which it pays

export class Halves {
  // files: promise of name -> content, the runtime's binary first: what the second worker opens.
  constructor(files) {
    this.files = files;
    files.catch(() => undefined); // whoever reads hears of it
    this.second = undefined; // a function, once the worker is ready
    this.started = !(navigator.hardwareConcurrency > 1); // there is no other core: it never starts
  }

  // The same function of a batch as ``run``, a graph that is open here.
  of(name, run) {
    return async (batch) => {
      const [count] = batch.dims;
      if (count < LEAST) return run(batch);
      if (!this.started) this.start();
      if (!this.second) return run(batch);
      const half = Math.ceil(count / 2);
      const theirs = this.second(name, part(batch, half, count));
      const mine = await run(part(batch, 0, half));
      const rest = (await theirs) ?? (await run(part(batch, half, count)));
      return mine.map(({ data, dims }, index) => joined(data, rest[index].data, [count, ...dims.slice(1)]));
    };
  }

  // Where the worker fails, all is computed here from then on.
  start() {
    this.started = true;
    const worker = new Worker(new URL("half.js", import.meta.url), { type: "module" });
    let answer; // to the batch that it has
    worker.addEventListener("error", ({ message }) => {
      console.warn(`the second worker has failed: ${message}`);
      this.second = undefined;
      answer?.(undefined);
    });
    worker.addEventListener("message", ({ data: { outputs } }) => {
      if (outputs) answer(outputs);
      else this.second = ask;
    });
    const ask = (name, batch) => new Promise((take) => {
      answer = take;
      worker.postMessage({ name, batch }, [batch.data.buffer]);
    });
    this.files.then((files) => worker.postMessage({ files }), () => worker.terminate());
  }
}

function part({ data, dims: [count, ...dims] }, from, to) {
  const size = data.length / count;
  return { data: data.slice(from * size, to * size), dims: [to - from, ...dims] };
}

function joined(one, other, dims) {
  const data = new Float32Array(one.length + other.length);
  data.set(one);
  data.set(other, one.length);
  return { data, dims };
}
