// The reader's large files: fetched once, kept in the browser's cache, unpacked.

const CACHE = "resemotenet-reader";

// names: of the files that are wanted; listed: name -> {bytes, sha256} of all there are; base: URL of their folder;
// progress: told the bytes that are here and those there are. Gives name -> ArrayBuffer.
export async function load(names, listed, base, progress) {
  const cache = await caches?.open(CACHE).catch(() => undefined); // none in private windows of some browsers
  const wanted = names.map((name) => ({ name, url: new URL(`${name}.gz?${listed[name].sha256}`, base).href }));
  const total = names.reduce((sum, name) => sum + listed[name].bytes, 0);
  let here = 0;
  const arrived = (bytes) => progress((here += bytes), total);
  const contents = await Promise.all(wanted.map(async ({ name, url }) => [name, await one(url, cache, arrived)]));
  await forgetOthers(cache, new Set(wanted.map(({ url }) => url)), base);
  return Object.fromEntries(contents);
}

async function one(url, cache, arrived) {
  const kept = await cache?.match(url);
  const response = kept ?? (await fetch(url));
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const packed = await counted(response, arrived);
  const content = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  // Kept only once it is known to be whole. A full disk is no reason not to read.
  if (!kept) await cache?.put(url, new Response(packed)).catch(() => undefined);
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
