// The technician's pages over a bad line: every form goes through the phone's store, in order, and is sent when it can be.
(() => {
  const main = document.getElementById("phone"), box = document.getElementById("queue");
  if (!main || !window.indexedDB || !window.fetch) return; // plain forms do it alone
  const say = (name) => main.dataset[name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())] || "";
  const person = main.dataset.person, EVERY_MS = 15000;
  let sending = false, again = false, latest = null; // latest: what was pressed on this page

  // --- what waits, and what was refused, is always on the page
  const show = async () => {
    const posts = await wkStore.all();
    box.hidden = !posts.length;
    box.replaceChildren();
    if (posts.length) {
      const head = document.createElement("h2");
      head.textContent = `${say("waiting")} ${posts.length}`;
      box.append(head, ...posts.map(entry));
    }
    for (const form of document.querySelectorAll("form[data-action]")) mark(form, posts);
    return posts;
  };
  const entry = (post) => {
    const line = document.createElement("div"), title = document.createElement("strong"), text = document.createElement("p");
    line.className = post.refused ? "queued refused" : "queued";
    title.textContent = post.label;
    const other = post.person !== person;
    text.textContent = other ? say("q_other") : post.refused ? say(post.refused).replace("{reason}", post.reason || "") : say(post.stuck || "kept");
    line.append(title, text);
    if (post.refused && !other) {
      const link = Object.assign(document.createElement("a"), { href: `/m/orders/${post.order}`, textContent: say("open") });
      line.append(link, button(say("retry"), () => retry(post)), button(say("remove"), () => drop(post)));
    }
    return line;
  };
  const button = (text, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, className: "small" });
    made.addEventListener("click", act);
    return made;
  };
  const retry = async (post) => { delete post.refused; delete post.version; await wkStore.put(post); await flush(); };
  const drop = async (post) => { if (confirm(say("sure"))) { await wkStore.remove(post.seq); await show(); } };
  const mark = (form, posts) => {
    const mine = posts.filter((post) => post.order === form.dataset.order && !post.refused);
    const done = mine.some((post) => post.action === form.dataset.action);
    for (const one of form.querySelectorAll("button[type=submit]")) one.disabled = done;
    const section = form.closest("[data-later]"); // a step that follows one that waits here can be taken too
    if (section) section.hidden = !mine.length;
  };

  // --- a form is kept first, then sent: pressing twice, or losing the page, does it once
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.id === "logout") return leave(event, form);
    if (!form.dataset.action) return;
    event.preventDefault();
    const pressed = form.querySelectorAll("button[type=submit]");
    pressed.forEach((one) => { one.disabled = true; });
    const fields = await window.wkCapture.fields(form);
    const post = {
      url: form.getAttribute("action"), order: form.dataset.order, action: form.dataset.action, label: form.dataset.label,
      person, fields, at: Date.now(), chained: Boolean(form.closest("[data-later]")) || (await wkStore.all()).some((one) => one.order === form.dataset.order),
    };
    latest = post;
    try {
      await wkStore.add(post);
    } catch {
      latest = null;
      pressed.forEach((one) => { one.disabled = false; });
      return alert(say("full"));
    }
    await flush();
  });
  // The pages that the worker keeps are this person's: they go with the session.
  const forget = () => new Promise((resolve) => {
    const worker = navigator.serviceWorker?.controller, line = new MessageChannel();
    if (!worker) return resolve();
    line.port1.onmessage = resolve;
    worker.postMessage({ forget: true }, [line.port2]);
    setTimeout(resolve, 2000);
  });
  const leave = async (event, form) => {
    event.preventDefault();
    const posts = await wkStore.all();
    if (posts.length && !confirm(say("leave").replace("{n}", posts.length))) return;
    await forget();
    form.submit();
  };

  // --- sending: oldest first; an order whose post was refused waits for its person, the others go on
  const flush = async () => {
    if (sending) { again = true; return; }
    sending = true;
    try {
      const whose = await ask();
      const posts = (await show()).filter((post) => post.person === person);
      if (!whose || whose === "login" || whose.person !== person) {
        if (whose === "login") for (const post of posts) await wkStore.put({ ...post, stuck: "q_login" });
        return;
      }
      const held = new Set(posts.filter((post) => post.refused).map((post) => post.order));
      const versions = new Map();
      for (const post of posts.filter((one) => !one.refused)) {
        if (held.has(post.order)) continue;
        const answer = await send(post, whose.csrf, versions.get(post.order));
        if (!answer) return; // the line is gone again
        if (answer.ok) {
          const { version } = await answer.json();
          versions.set(post.order, version);
          await wkStore.remove(post.seq);
          for (const next of posts) if (next.order === post.order && next.seq > post.seq) await wkStore.put({ ...next, version });
          if (latest && post.order === latest.order && post.action === latest.action) return done(post);
        } else if (answer.status < 500 && answer.status !== 429) {
          const told = await answer.json().catch(() => ({}));
          held.add(post.order);
          if (answer.status === 401) { await wkStore.put({ ...post, stuck: "q_login" }); return; }
          await wkStore.put({ ...post, refused: told.text || "q_refused", reason: told.reason || String(answer.status) });
          requestAnimationFrame(() => box.scrollIntoView({ block: "start" }));
        } else return;
      }
      if (versions.size && !(await wkStore.all()).length) location.reload(); // show what the server says now
    } finally {
      sending = false;
      await show();
      if (again) { again = false; await flush(); }
    }
  };
  const ask = async () => {
    try {
      const answer = await fetch("/m/session", { cache: "no-store" });
      return answer.status === 401 ? "login" : answer.ok ? await answer.json() : null;
    } catch { return null; }
  };
  const send = async (post, csrf, version) => {
    const body = new FormData();
    for (const [name, value, file] of post.fields) {
      if (name === "csrf") body.set("csrf", csrf);
      else if (name === "version") body.set("version", version ?? post.version ?? (post.chained ? "" : value));
      else if (file) body.append(name, value, file); else body.append(name, value);
    }
    if (body.get("version") === "") body.delete("version");
    try { return await fetch(post.url, { method: "POST", body, headers: { "X-Queued": "1" } }); } catch { return null; }
  };
  const done = (post) => location.assign(`/m/orders/${post.order}?done=${post.action}`);

  // --- how old this page is, and whether there is a line at all
  const offline = () => {
    const note = document.getElementById("offline");
    note.hidden = navigator.onLine && !main.dataset.cached; // the worker marks what it gives from its store
    note.textContent = say("offline");
  };
  addEventListener("online", () => { offline(); flush(); });
  addEventListener("offline", offline);
  addEventListener("pageshow", () => { offline(); flush(); });
  setInterval(async () => { offline(); if ((await wkStore.all()).some((post) => !post.refused)) flush(); }, EVERY_MS);
  if (navigator.serviceWorker) {
    navigator.serviceWorker.register("/m/worker.js", { scope: "/m" }).then(() => navigator.serviceWorker.ready).then((ready) => {
      const wanted = [...document.querySelectorAll("a.order-card")].map((link) => link.getAttribute("href")).slice(0, 30);
      ready.active?.postMessage({ keep: [...new Set(["/m", location.pathname, ...wanted])] });
    }).catch(() => {}); // without it the pages still work, with a line
  }
})();
