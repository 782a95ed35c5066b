// The duty board: sound for class A, keys, lost connection, full screen. Texts come from the page.
(() => {
  const EVERY_MS = 4000;
  const alarms = () => document.getElementById("wk-alarms");
  const words = (name) => alarms()?.dataset[name] || "";
  const wanted = () => { try { return localStorage.getItem("wk-sound") === "on"; } catch { return false; } };
  let context = null, last = 0, muted = new Set();

  // --- sound: generated, so no file and no codec can be missing
  const unlock = () => {
    context ??= new (window.AudioContext || window.webkitAudioContext)();
    return context.state === "running" ? Promise.resolve() : context.resume();
  };
  const tone = () => {
    for (const [hertz, at] of [[880, 0], [660, 0.28], [880, 0.56]]) {
      const wave = context.createOscillator(), gain = context.createGain(), start = context.currentTime + at;
      wave.frequency.value = hertz;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.4, start + 0.02);
      gain.gain.setValueAtTime(0.4, start + 0.2);
      gain.gain.linearRampToValueAtTime(0, start + 0.26);
      wave.connect(gain).connect(context.destination);
      wave.start(start);
      wave.stop(start + 0.27);
    }
    document.documentElement.dataset.tones = 1 + Number(document.documentElement.dataset.tones || 0);
  };
  const open = () => (alarms()?.dataset.ids || "").split(" ").filter(Boolean);
  const loud = () => open().filter((id) => !muted.has(id));
  const show = () => {
    const button = document.getElementById("wk-sound");
    if (!button) return;
    const blocked = wanted() && context?.state !== "running";
    const state = !wanted() ? "off" : blocked ? "blocked" : open().length && !loud().length ? "muted" : "on";
    if (button.dataset.state === state) return;
    button.dataset.state = state;
    button.textContent = words({ off: "soundOff", blocked: "soundBlocked", muted: "soundMuted", on: "soundOn" }[state]);
    button.setAttribute("aria-pressed", String(state === "on"));
  };
  const beat = () => {
    if (!alarms()) return;
    const ids = loud();
    muted = new Set([...muted].filter((id) => open().includes(id)));
    document.body.classList.toggle("wk-ringing", ids.length > 0);
    const title = document.title.replace(/^\(\d+\) /, "");
    const shown = ids.length ? `(${ids.length}) ${title}` : title;
    if (document.title !== shown) document.title = shown;
    if (ids.length && wanted() && context?.state === "running" && Date.now() - last >= EVERY_MS) {
      last = Date.now();
      tone();
    }
    show();
  };
  const toggle = () => {
    const blocked = wanted() && context?.state !== "running";
    const on = blocked || !wanted();
    try { localStorage.setItem("wk-sound", on ? "on" : "off"); } catch { /* a private window: for this page only */ }
    (on ? unlock() : Promise.resolve()).finally(() => { last = 0; beat(); });
  };

  // --- connection: the picture of a page whose socket is gone is old, and says so; one that is still loading is not
  const PATIENCE_MS = 10000;
  let connected = false;
  const connection = () => {
    connected ||= Boolean(window.socket?.connected);
    const lost = window.socket && !window.socket.connected && (connected || performance.now() > PATIENCE_MS);
    let banner = document.getElementById("wk-offline");
    if (lost && !banner) {
      banner = Object.assign(document.createElement("div"), { id: "wk-offline", className: "wk-banner", textContent: words("offline") });
      banner.setAttribute("role", "alert");
      document.getElementById("main")?.prepend(banner);
    } else if (!lost && banner) banner.remove();
    document.body.classList.toggle("wk-cut", Boolean(lost));
  };

  // --- keys: they act on the chosen row only
  const rows = () => [...document.querySelectorAll(".wk-rows tr.wk-row")].filter((row) => row.offsetParent);
  const chosen = () => document.activeElement?.closest?.("tr.wk-row");
  const move = (by) => {
    const all = rows(), at = all.indexOf(chosen());
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  const say = (text) => {
    document.querySelector(".wk-toast")?.remove();
    const toast = Object.assign(document.createElement("div"), { className: "wk-toast", textContent: text });
    toast.setAttribute("role", "status");
    document.body.append(toast);
    setTimeout(() => toast.remove(), 2500);
  };
  const press = (key) => {
    const row = chosen();
    if (!row) return say(words("chooseRow"));
    const button = row.querySelector(`[data-key="${key}"]`);
    if (button) button.click(); else say(words("notHere"));
  };
  const mute = () => { muted = new Set(open()); beat(); };
  const help = () => {
    const dialog = document.getElementById("wk-keys");
    if (dialog?.open) dialog.close(); else dialog?.showModal();
  };
  const acts = {
    j: () => move(1), k: () => move(-1), c: () => press("c"), f: () => press("f"), m: () => press("m"), n: mute, "?": help,
  };
  document.addEventListener("keydown", (event) => {
    if (!alarms() || event.ctrlKey || event.altKey || event.metaKey || event.repeat && event.key !== "j" && event.key !== "k") return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], .q-dialog, .q-menu")) return;
    if (event.key === "Enter" && event.target.matches?.("tr.wk-row")) { event.target.querySelector(".wk-name")?.click(); return; }
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || document.getElementById("wk-keys")?.open && event.key !== "?") return;
    event.preventDefault();
    act();
  });
  document.addEventListener("click", (event) => {
    if (wanted() && context?.state !== "running" && event.target.id !== "wk-sound") unlock().catch(() => {});
    if (event.target.id === "wk-sound") toggle();
    else if (event.target.id === "wk-help") help();
    else if (event.target.id === "wk-full") document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  });
  setInterval(() => { beat(); connection(); }, 1000);
  if (wanted()) unlock().catch(() => {}).finally(beat); // without a click the browser may refuse: the button says so
})();
