// On a phone the menu is wider than the screen: the chosen entry is brought into view once it has been drawn.
(() => {
  const show = () => {
    const chosen = document.querySelectorAll(".wk-nav .wk-active, .wk-subnav .wk-active");
    for (const one of chosen) {
      const bar = one.closest(".wk-head, .wk-subnav");
      if (!bar) continue;
      const here = one.getBoundingClientRect(), all = bar.getBoundingClientRect();
      bar.scrollLeft += here.left + here.width / 2 - all.left - all.width / 2;
    }
    return chosen.length > 0;
  };
  const watch = new MutationObserver(() => { if (show()) watch.disconnect(); });
  if (!show()) watch.observe(document.documentElement, { childList: true, subtree: true });
})();
