// Keeps the page for visits without a network. The reader's large files are kept by files.js.

const VERSION = "{{version}}"; // of all files together: another one is another page
const FILES = {{{files}}};
const OURS = "resemotenet-page-";

addEventListener("install", (event) => {
  const whole = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(OURS + VERSION).then((cache) => cache.addAll(whole)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith(OURS) && name !== OURS + VERSION);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => clients.claim()));
});

addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  const kept = caches.open(OURS + VERSION).then((cache) => cache.match(event.request, { ignoreSearch: event.request.mode === "navigate" }));
  event.respondWith(kept.then((response) => response ?? fetch(event.request)));
});
