// Every element with data-due counts down (or up, once it is late). Without this script the due time itself stands there.
(() => {
  const words = { zh: { left: "剩 ", late: "超时 ", d: " 天 ", h: " 时 ", m: " 分", s: " 秒" }, en: { left: "", late: "overdue ", d: " d ", h: " h ", m: " min", s: " s" } };
  const span = (ms, w) => {
    const s = Math.floor(Math.abs(ms) / 1000), d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    if (d) return d + w.d + h + w.h.trimEnd();
    if (h) return h + w.h + m + w.m;
    return m >= 10 ? m + w.m : (m ? m + w.m + " " : "") + (s % 60) + w.s;
  };
  const en = () => (document.documentElement.dataset.lang || document.documentElement.lang).startsWith("en");
  const tick = () => {
    const wanted = document.documentElement.dataset.lang; // Quasar sets the process's language, not the person's
    if (wanted && document.documentElement.lang !== wanted) document.documentElement.lang = wanted;
    const w = en() ? words.en : words.zh, now = Date.now();
    for (const element of document.querySelectorAll("[data-due]")) {
      const due = Date.parse(element.dataset.due);
      if (Number.isNaN(due)) continue;
      const left = due - now, target = element.querySelector("time") || element;
      const text = left >= 0 ? w.left + span(left, w) + (en() ? " left" : "") : w.late + span(left, w);
      if (target.textContent !== text) target.textContent = text;
      element.classList.toggle("late", left < 0);
      element.classList.toggle("soon", left >= 0 && left < 600000);
    }
    for (const element of document.querySelectorAll("[data-since]")) {
      const since = Date.parse(element.dataset.since);
      const text = Number.isNaN(since) ? "" : age(now - since, en());
      if (element.textContent !== text) element.textContent = text;
    }
  };
  const age = (ms, en) => {
    const m = Math.floor(ms / 60000), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (d) return d + (en ? " d ago" : " 天前");
    if (h) return h + (en ? " h ago" : " 小时前");
    if (m > 0) return m + (en ? " min ago" : " 分钟前");
    return en ? "just now" : "刚刚";
  };
  tick();
  setInterval(tick, 1000);
  // What is drawn anew shows its time at once: rows must not jump a moment later.
  new MutationObserver(tick).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ["data-due", "data-since"] });
})();
