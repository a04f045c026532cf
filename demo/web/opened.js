// What stands in a picture's file, as far as the server looks there and a browser does not: browsers draw what is cut short
// as far as it goes, and what is of more bits than it says. told: props.opening, the server's limits and words.

// A sentence of the server's with its numbers.
const worded = (words, values) => words.replaceAll(/\{(\w+)\}/g, (_, name) => values[name]);

// Why a picture of this size is not read; undefined where it is.
function unfit(width, height, { max_pixels: most, min_side: least, said }) {
  const millions = (pixels) => Math.round(pixels / 1e6);
  const pixels = width * height;
  if (pixels > most) return worded(said.large, { amount: `${millions(pixels)} megapixels`, most: millions(most) });
  if (Math.min(width, height) < least) return worded(said.small, { width, height, least });
  return undefined;
}

// Why a file that the browser cannot decode is not read here, where there is no server that might.
function whyUnread(bytes, { kinds, heic, said }) {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  if (!head) return said.empty;
  const boxed = head.slice(4, 8) === "ftyp";
  if (!boxed && !kinds.some((kind) => head.startsWith(kind))) return said.kind;
  if (boxed && heic.includes(head.slice(8, 12))) return said.heic;
  return isWhole(bytes) === undefined || isTurnedWebp(bytes) ? said.unknown : said.damaged;
}

// Whether a file goes on to the end of its (first) picture; undefined where that is not known of its kind.
function isWhole(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  const known = [[/^\xff\xd8/, jpegEnds], [/^\x89PNG/, pngEnds], [/^GIF8/, gifEnds], [/^RIFF....WEBP/s, webpEnds]];
  return unlessBeyond(() => known.find(([start]) => start.test(head))?.[1](view), false);
}

// What ``look`` gives, or ``otherwise`` where the file ends before the place at which it looks.
function unlessBeyond(look, otherwise) {
  try {
    return look();
  } catch (error) {
    if (error instanceof RangeError) return otherwise;
    throw error;
  }
}

// Segment after segment; in the pixels an FF of their own is followed by 00, and D0 to D7 stand between parts of them.
function jpegEnds(view) {
  for (let at = 2; ; at += 1) {
    while (view.getUint8(at) !== 0xff || [0, 0xff].includes(view.getUint8(at + 1))) at += 1;
    const marker = view.getUint8(at + 1);
    if (marker === 0xd9) return true;
    if (marker >= 0xd0 && marker <= 0xd7) continue;
    at += 1 + view.getUint16(at + 2);
  }
}

function pngEnds(view) {
  for (let at = 8; ; at += 12 + view.getUint32(at)) if (view.getUint32(at + 4) === 0x49454e44) return true; // IEND
}

function gifEnds(view) {
  const table = (flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0); // bytes of its colours
  let at = 13 + table(view.getUint8(10));
  for (;;) {
    const block = view.getUint8(at);
    if (block === 0x3b) return true;
    at += block === 0x2c ? 11 + table(view.getUint8(at + 9)) : 2;
    while (view.getUint8(at)) at += 1 + view.getUint8(at);
    if (block === 0x2c) return true;
    at += 1;
  }
}

// Whether it is a WebP that lies as its EXIF says: some browsers turn it, and some do not.
function isTurnedWebp(bytes) {
  if (!/^RIFF....WEBP/s.test(String.fromCharCode(...bytes.subarray(0, 12)))) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= bytes.length; at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) & 1)) {
    if (view.getUint32(at) === 0x45584946) return unlessBeyond(() => orientation(view, at + 8), 1) !== 1; // EXIF
  }
  return false;
}

// As the TIFF at this place says; 1 is upright.
function orientation(view, place) {
  const start = view.getUint32(place) === 0x45786966 ? place + 6 : place; // "Exif", which some write before it
  const little = view.getUint16(start) === 0x4949;
  const table = start + view.getUint32(start + 4, little);
  for (let entry = 0; entry < view.getUint16(table, little); entry += 1) {
    const at = table + 2 + 12 * entry;
    if (view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little);
  }
  return 1;
}

const webpEnds = (view) => view.getUint32(4, true) + 8 <= view.byteLength;

// Whether it is a PNG of 16 bits, in which levels of fewer may stand.
const isDeep = (bytes) => bytes[0] === 0x89 && bytes[24] === 16;

// Whether no channel of any pixel is above that level.
function allBelow(canvas, level) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.every((value, place) => place % 4 === 3 || value <= level);
}
