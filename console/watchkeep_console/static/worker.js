// Service worker of /m: pages from the network while there is one, else as last read. Posts are the page's own affair.
const CACHE = "watchkeep-1", WAIT_MS = 6000;
const SHELL = ["tokens.css", "plain.css", "clocks.js", "store.js", "phone.js", "capture.js", "favicon.svg", "icon-192.png"].map((name) => `/static/${name}`);

addEventListener("install", (event) => event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await clients.claim();
})()));

const ours = (path) => path === "/m" || path.startsWith("/m/orders/") || path.startsWith("/m/evidence/");
const timed = (request, ms) => fetch(request, { signal: AbortSignal.timeout(ms) });
// What asked for a login is no page of ours; somebody else may use the phone next.
let reads = 0; // what was asked for before somebody logged out is not kept after it
const keep = async (path, answer, since = reads) => {
  if (answer.ok && !answer.redirected && since === reads) await (await caches.open(CACHE)).put(path, answer.clone());
  else if (answer.redirected && new URL(answer.url).pathname === "/login") await forget();
  return answer;
};
// A page from the store says so, and when it was made.
const marked = async (kept) => {
  if (!kept.headers.get("content-type")?.startsWith("text/html")) return kept;
  const text = (await kept.text()).replace('id="phone"', 'id="phone" data-cached="1"');
  const headers = new Headers(kept.headers);
  for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  return new Response(text, { headers });
};
const forget = async () => {
  reads += 1;
  const cache = await caches.open(CACHE);
  for (const request of await cache.keys()) if (ours(new URL(request.url).pathname)) await cache.delete(request);
};

addEventListener("fetch", (event) => {
  const { request } = event, { pathname, origin } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (SHELL.includes(pathname)) {
    event.respondWith(fetch(request).then((answer) => keep(pathname, answer)).catch(async () => (await caches.match(pathname)) || Response.error()));
  } else if (ours(pathname)) {
    const since = reads;
    event.respondWith(timed(request, WAIT_MS).then((answer) => keep(pathname, answer, since)).catch(async () => {
      const kept = (await caches.match(pathname)) || (await caches.match("/m"));
      return kept ? marked(kept) : Response.error();
    }));
  }
});

// The page names the orders on its list: they are read now, so that they can be read in the basement.
addEventListener("message", (event) => event.waitUntil((async () => {
  if (event.data?.forget) { await forget(); event.ports[0].postMessage("done"); }
  const since = reads;
  for (const path of event.data?.keep || []) {
    if (since !== reads) return;
    try { await keep(path, await timed(path, 20000), since); } catch { return; }
  }
})()));
