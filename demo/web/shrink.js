// Makes a picture as small as reading its faces allows, so that it travels fast: a phone's has ten times the bytes. Before
// this comes opened.js.

const LIGHT = 220_000; // bytes that travel as they are, and what is aimed at: three seconds on a slow mobile network
const AREA = 1600 * 1200; // pixels; faces are searched at 1024 of them a side
const TRIES = [[1, 0.88], [1, 0.75], [1, 0.6], [0.7, 0.7], [0.7, 0.5]]; // size, quality of the JPEG

// The picture as the browser shows it, upright: {frame, a canvas to draw, read and send; width, height of the original;
// blob, what travels}; or {refused}, a sentence. undefined where the browser cannot decode it as it should: the server may.
// told: of opened.js.
async function shrunk(file, told) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isWhole(bytes) === false || isTurnedWebp(bytes)) return undefined;
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    // Its size is known before its pixels are there, which may be more than a small device has room for.
    const { width, height } = await sizeOf(image);
    if (!width || !height) return undefined;
    const refused = unfit(width, height, told);
    if (refused) return { refused };
    await image.decode();
    const frame = resized(image, Math.min(1, Math.sqrt(AREA / (width * height))), width, height);
    if (isDeep(bytes) && allBelow(frame, told.darkest)) return { refused: told.said.dark };
    const whole = frame.width === width && file.size <= LIGHT;
    return { frame, width, height, blob: whole ? file : await light(frame) };
  } catch (error) {
    if (error.name === "EncodingError") return undefined;
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }
}

const sizeOf = (image) => new Promise((known) => {
  image.onload = () => known({ width: image.naturalWidth, height: image.naturalHeight });
  image.onerror = () => known({});
});

function resized(image, scale, width = image.width, height = image.height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.max(1, Math.round(scale * width)), Math.max(1, Math.round(scale * height))];
  const brush = canvas.getContext("2d");
  brush.fillStyle = "#fff"; // behind what is transparent, as the server reads it
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.imageSmoothingQuality = "high";
  brush.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// The best JPEG that is light, or the lightest there is.
async function light(frame) {
  let blob;
  for (const [scale, quality] of TRIES) {
    const canvas = scale === 1 ? frame : resized(frame, scale);
    blob = await new Promise((made) => canvas.toBlob(made, "image/jpeg", quality));
    if (blob.size <= LIGHT) break;
  }
  return blob;
}

const asDataUri = (blob) => new Promise((read, fail) => {
  const reader = new FileReader();
  reader.onload = () => read(reader.result);
  reader.onerror = () => fail(reader.error);
  reader.readAsDataURL(blob);
});
