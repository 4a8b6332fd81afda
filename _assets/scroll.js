// What scrolls sideways can be reached by keyboard: long formulas, wide tables. What fits is no stop on the way.
(() => {
  "use strict";
  const SCROLLING = ".ibkit-formula, span.math, .ibkit-claims, .ibkit-atlas, .cell_output, .bd-article pre, .bd-article table";

  function mark() {
    for (const box of document.querySelectorAll(SCROLLING)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
      if (scrolls) box.tabIndex = 0;
      else if (box.getAttribute("tabindex") === "0") box.removeAttribute("tabindex");
    }
  }

  function start() {
    mark();
    let waiting = 0;
    addEventListener("resize", () => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(mark);
    });
    document.fonts?.ready.then(mark);
    document.addEventListener("toggle", mark, true);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
