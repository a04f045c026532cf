// The reader's large files: fetched once, kept in the browser's cache, unpacked.

const CACHE = "resemotenet-reader";

// names: of the files that are wanted; listed: name -> {bytes, sha256} of all there are; base: URL of their folder;
// progress: told the bytes that are here and those there are of what is fetched. Gives name -> promise of an ArrayBuffer:
// what has arrived can be opened while the rest is under way.
export async function load(names, listed, base, progress) {
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined); // none in private windows of some browsers
  const wanted = await Promise.all(names.map(async (name) => {
    const url = new URL(`${name}.gz?${listed[name].sha256}`, base).href;
    return { name, url, kept: await cache?.match(url) };
  }));
  const total = wanted.reduce((sum, { name, kept }) => sum + (kept ? 0 : listed[name].bytes), 0);
  let here = 0;
  const arrived = (bytes) => progress((here += bytes), total);
  arrived(0);
  const contents = wanted.map(({ name, url, kept }) => [name, kept ? unpacked(kept) : fetched(url, cache, arrived)]);
  const all = Promise.all(contents.map(([, content]) => content));
  // Whoever waits for a file hears that it failed; here nobody does.
  all.then(() => forgetOthers(cache, new Set(wanted.map(({ url }) => url)), base)).catch(() => undefined);
  return Object.fromEntries(contents);
}

const unpacked = ({ body }) => new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

async function fetched(url, cache, arrived) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const packed = await counted(response, arrived);
  const content = await unpacked(new Response(packed));
  // Kept only once it is known to be whole. A full disk is no reason not to read.
  await cache?.put(url, new Response(packed)).catch(() => undefined);
  return content;
}

async function counted(response, arrived) {
  const parts = [];
  const reader = response.body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    parts.push(value);
    arrived(value.length);
  }
  return new Blob(parts).arrayBuffer();
}

// Of an earlier model, or another release of the runtime.
async function forgetOthers(cache, urls, base) {
  for (const { url } of (await cache?.keys()) ?? []) {
    if (url.startsWith(base) && !urls.has(url)) await cache.delete(url);
  }
}
