// Who reads: this device where its browser can, else the server. Both give the same answers, so one may take over from the
// other between two frames.
//
// reading({folder, served, changed}) gives a part of the page the reader that all parts share. folder: of the reader's
// files, "" where there are none; served: whether a server reads where the device cannot; changed() is called when
// ``where`` or ``loaded`` is another one.

const STALLED = 15000; // ms without a byte of the reader's files, after which the server reads
const SLOW_LINES = ["slow-2g", "2g", "3g"]; // lines on which fourteen million bytes would take minutes
const READERS = {
  device: "Read on this device: nothing is sent",
  server: "Read by the server",
  sent: "Sent to the server: this browser cannot open it",
};
const KEPT_IN = "resemotenet-reader"; // the cache of device/files.js

function reading({ folder, served, changed }) {
  const reader = (window.theReader ??= createReader(new URL(folder || ".", document.baseURI).href, Boolean(folder), served));
  reader.addEventListener("changed", changed);
  if (reader.where || reader.loaded) queueMicrotask(changed); // a tab that opens later than another has missed the event
  return reader;
}

function createReader(folder, offered, served) {
  let device; // the open reader
  let opening; // a promise of ``where``
  const self = Object.assign(new EventTarget(), {
    where: undefined, // "device", "server", or "nobody" once it is known
    loaded: undefined, // [bytes that are here, bytes in all] while files arrive
    why: "", // what is missing where nobody reads
    settings: undefined, // what reader.json holds, on the device
    ready: () => (opening ??= open().then(() => self.where)), // ends when it is known who reads
    // {report, looks} of a canvas, and the answer to the pixels of a frame; undefined where the device has given up.
    read: (canvas) => device.read(pixelsOf(canvas)).catch(giveUp),
    answer: (pixels, asked) => device.answer(pixels, asked).catch(giveUp),
    explains: () => Boolean(device && self.settings.explain), // whether "Why?" is answered on the device
    // {picture, text} of a face in a canvas, or of the canvas; undefined where that failed.
    explain: (canvas, asked) => device.explain(pixelsOf(canvas), asked).then(asShown, (error) => console.warn(error.message)),
  });

  function decide(where, why = "") {
    if (where !== "device") self.loaded = undefined;
    Object.assign(self, { where: where === "server" && !served ? "nobody" : where, why });
    self.dispatchEvent(new Event("changed"));
  }

  function giveUp(error) {
    console.warn(`the device does not read: ${error.message}`);
    device?.close();
    device = undefined;
    decide("server", error.message);
  }

  async function open() {
    const line = navigator.connection;
    const slow = line && (line.saveData || SLOW_LINES.includes(line.effectiveType));
    if (!offered || (served && slow && !(await globalThis.caches?.has(KEPT_IN)))) {
      decide("server");
      return;
    }
    try {
      const { openDevice } = await import(`${folder}device.js`);
      device = await unlessStalled(openDevice);
      self.settings = device.settings;
      decide("device");
    } catch (error) {
      giveUp(error);
    }
  }

  // What ``start`` gives: it can look for faces then, and the last of its files may be under way.
  function unlessStalled(start) {
    return new Promise((resolve, reject) => {
      let timer;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          const stalled = new Error("the reader's files did not arrive");
          if (device) giveUp(stalled);
          else reject(stalled);
        }, STALLED);
      };
      wait();
      const arrived = (...loaded) => {
        self.loaded = loaded[0] < loaded[1] ? loaded : undefined;
        if (self.loaded) wait();
        else clearTimeout(timer); // getting ready takes a slow machine its time
        self.dispatchEvent(new Event("changed"));
      };
      start(arrived).then(resolve, reject).finally(() => self.loaded || clearTimeout(timer));
    });
  }

  // From the second visit on its files are here, and it is ready when a picture comes.
  if (offered) globalThis.caches?.has(KEPT_IN).then((kept) => kept && self.ready()).catch(() => undefined);
  return self;
}

function pixelsOf(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, canvas.width, canvas.height);
}

function asShown({ pixels: { data, width, height }, text }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return { picture: canvas.toDataURL(), text };
}

// The line under a picture that says who reads it; "sent" is what the server read though this device reads.
function tellWho(line, { where, loaded }) {
  const [words, bar] = line.children;
  line.dataset.where = where ?? "";
  bar.hidden = !loaded;
  [bar.value, bar.max] = loaded ?? [0, 1];
  if (loaded) words.textContent = `Getting the reader: ${loaded.map((bytes) => (bytes / 1e6).toFixed(1)).join(" of ")} MB, once`;
  else words.textContent = READERS[where] ?? "";
}
