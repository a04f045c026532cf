// Who reads: this device where its browser can, else the server. Both give the same answers, so one may take over from the
// other between two frames.
//
// reading({folder, readFrame, changed}): folder of the reader's files, "" where there are none; readFrame: the server's
// function, undefined where there is no server; changed() is called when ``where`` or ``loaded`` is another one.

const STALLED = 15000; // ms without a byte of the reader's files, after which the server reads
const SLOW = ["slow-2g", "2g", "3g"]; // lines on which fourteen million bytes would take minutes

function reading({ folder, readFrame, changed = () => {} }) {
  const here = new URL(folder || ".", document.baseURI).href;
  let device; // the open reader
  let opening; // a promise of it
  const self = {
    where: undefined, // "device", "server", or "nobody" once it is known
    loaded: undefined, // [bytes that are here, bytes in all] while files arrive
    why: "", // what is missing where nobody reads
    report: (pixels) => device.read(pixels).catch(lose),
    // Ends when it is known who reads.
    ready: () => (opening ??= open()),
    encode: (canvas) => (device ? { pixels: pixelsOf(canvas) } : { frame: canvas.toDataURL("image/jpeg", QUALITY) }),
    // What the server's readFrame takes, with the frame as ``encode`` gave it. {} where it must be asked again.
    answer({ pixels, ...asked }) {
      return pixels ? device.answer(pixels, asked).catch(lose) : ask(readFrame, asked);
    },
  };

  function decide(where, why = "") {
    Object.assign(self, { where: where === "server" && !readFrame ? "nobody" : where, why, loaded: undefined });
    changed();
  }

  function lose(error) {
    console.warn(error);
    device?.close();
    device = undefined;
    decide("server", error.message);
    return {};
  }

  async function open() {
    const line = navigator.connection;
    const slow = line && (line.saveData || SLOW.includes(line.effectiveType));
    if (!folder) return decide("server");
    if (readFrame && slow && !(await globalThis.caches?.has("resemotenet-reader"))) return decide("server");
    try {
      const { openDevice } = await import(`${here}device.js`);
      device = await unlessStalled((arrived) => openDevice(arrived));
      return decide("device");
    } catch (error) {
      return lose(error);
    }
  }

  function unlessStalled(start) {
    return new Promise((resolve, reject) => {
      let timer;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => reject(new Error("the reader's files did not arrive")), STALLED);
      };
      wait();
      const arrived = (...loaded) => {
        if (loaded[0] < loaded[1]) wait();
        else clearTimeout(timer); // getting ready takes a slow machine its time
        self.loaded = loaded;
        changed();
      };
      start(arrived).then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  return self;
}

function pixelsOf(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, canvas.width, canvas.height);
}

// The line under a picture that says who reads it.
function whoReads({ where, loaded }) {
  if (loaded) return `Getting the reader: ${(loaded[0] / 1e6).toFixed(1)} of ${(loaded[1] / 1e6).toFixed(1)} MB, once`;
  return { device: "Read on this device: nothing is sent", server: "Read by the server", nobody: "Not read" }[where] ?? "";
}
