// A panel: title, legend, plot, note; and the reading of values by pointer and keyboard.

const VIEWS = { lines: linesView, scatter: scatterView, arrows3d: arrows3dView, heatmap: heatmapView, bars: barsView };

function makePanel(layout, parent, look) {
  const root = htmlNode("figure", { class: `ibx-panel ibx-${layout.kind}` }, parent);
  const title = htmlNode("figcaption", { class: "ibx-title" }, root);
  const legend = layout.names.length > 1 ? makeLegend(layout, root, look) : null;
  const stage = htmlNode("div", { class: "ibx-stage" }, root);
  const svg = svgNode(
    "svg",
    { class: "ibx-plot", tabindex: 0, role: "application", "aria-roledescription": "plot" },
    stage,
  );
  const note = htmlNode("p", { class: "ibx-note" }, root);
  const view = VIEWS[layout.kind](svg, layout, look, repaint);
  const tip = htmlNode("div", { class: "ibx-tip", hidden: "" }, stage);
  const spoken = htmlNode("div", { class: "ibx-spoken", "aria-live": "polite" }, stage);
  let framed = "";
  let reading = -1;
  let shown = null;
  let waiting = false;

  // What a view turns by itself is drawn anew once a frame, and said where keys turned it.
  function repaint(words) {
    if (words) spoken.textContent = words;
    if (waiting || !shown) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      view.paint(shown);
      if (reading >= 0) read(reading < view.count() ? reading : -1, false);
    });
  }

  function show(data, width, height) {
    if (!shown || title.textContent !== data.title) {
      title.textContent = data.title;
      const words = view.describe?.(data) || [
        data.title || layout.ylabel || layout.kind,
        layout.xlabel && `${layout.ylabel || ""} over ${layout.xlabel}`,
      ];
      svg.setAttribute("aria-label", `${words.filter(Boolean).join(": ")}. ${view.help || "Arrow keys read the values."}`);
    }
    if (note.textContent !== data.note) note.textContent = data.note;
    shown = data;
    const limits = data.get("limits");
    const wanted = `${width} ${height} ${limits.join(" ")}`;
    if (wanted !== framed) {
      framed = wanted;
      setAll(svg, { width, height, viewBox: `0 0 ${width} ${height}` });
      view.frame(limits, width, height);
    }
    view.paint(data);
    if (reading >= 0) read(reading < view.count() ? reading : -1, false);
  }

  function read(index, aloud) {
    reading = index;
    if (index < 0) {
      tip.hidden = true;
      view.mark(null);
      return;
    }
    const found = view.at(index);
    view.mark(found);
    tip.replaceChildren();
    if (found.head) htmlNode("div", { class: "ibx-tip-head" }, tip, found.head);
    for (const row of found.rows) {
      const line = htmlNode("div", { class: "ibx-tip-row" }, tip);
      if (row.name) htmlNode("i", { style: look.color(row.name) }, line);
      if (row.name) htmlNode("span", {}, line, row.name);
      htmlNode("b", {}, line, row.text);
    }
    tip.hidden = false;
    const { offsetWidth, offsetHeight } = tip;
    const wide = stage.clientWidth;
    const beside = found.x + 14 + offsetWidth > wide ? found.x - 14 - offsetWidth : found.x + 14;
    tip.style.left = `${Math.max(0, Math.min(beside, wide - offsetWidth))}px`;
    tip.style.top = `${Math.max(0, Math.min(tipTop(found, offsetHeight), svg.clientHeight - offsetHeight))}px`;
    if (aloud)
      spoken.textContent = [found.head, ...found.rows.map((row) => `${row.name || ""} ${row.text}`)].join(", ");
  }

  for (const kind of ["pointermove", "pointerdown"]) {
    svg.addEventListener(kind, (event) => {
      const area = svg.getBoundingClientRect();
      const still = view.count() && !view.turning?.();
      read(still ? view.nearest(event.clientX - area.left, event.clientY - area.top) : -1, false);
    });
  }
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && read(-1, false));
  svg.addEventListener("blur", () => read(-1, false));
  svg.addEventListener("keydown", (event) => {
    if (view.press?.(event)) return event.preventDefault();
    const count = view.count();
    const page = view.press ? 1 : 10;
    const across = layout.kind === "heatmap" ? layout.shape[1] : 1;
    const moves = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: across,
      ArrowUp: -across,
      PageDown: page,
      PageUp: -page,
      Home: -count,
      End: count,
    };
    if (event.key === "Escape") read(-1, false);
    else if (event.key in moves && count) {
      read(reading < 0 ? 0 : Math.min(count - 1, Math.max(0, reading + moves[event.key])), true);
      event.preventDefault();
    }
  });

  return {
    show,
    stage,
    reset: () => view.reset?.(),
    refresh() {
      if (legend) legend.refresh();
    },
  };
}

// Beside what it describes; among curves, in the half of the plot where the values are not.
function tipTop({ y, box, rows }, height) {
  if (!box) return y - height / 2;
  const heights = rows.map((row) => row.y).filter(Number.isFinite);
  const middle = heights.reduce((sum, place) => sum + place, 0) / (heights.length || 1);
  return middle < (box.top + box.bottom) / 2 ? box.bottom - height - 5 : box.top + 1;
}

function makeLegend(layout, parent, look) {
  const root = htmlNode("div", { class: "ibx-legend" }, parent);
  const items = layout.names.map((name, place) => {
    const button = htmlNode("button", { type: "button", class: "ibx-key", style: look.color(name) }, root);
    const sample = svgNode("svg", { width: 20, height: 10, "aria-hidden": "true" }, button);
    const arrows = layout.keyPlaces[`arrows:${name}`] !== undefined;
    if (layout.kind === "bars")
      svgNode("rect", { class: "ibx-dots", x: 4, y: 0, width: 10, height: 10, rx: 1.5 }, sample);
    else if (layout.keyPlaces[`points:${name}`] !== undefined)
      svgNode("path", { class: "ibx-dots", d: SHAPES[place % SHAPES.length](10, 5, 4) }, sample);
    else
      svgNode(
        "path",
        { class: "ibx-line", d: "M0,5H20", "stroke-dasharray": arrows ? null : look.dash(layout, name) },
        sample,
      );
    htmlNode("span", {}, button, name);
    button.addEventListener("click", () => look.toggle(name));
    return { name, button };
  });
  const refresh = () =>
    items.forEach(({ name, button }) => button.setAttribute("aria-pressed", String(!look.isHidden(name))));
  refresh();
  return { refresh };
}
