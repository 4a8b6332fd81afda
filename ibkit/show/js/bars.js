// Bars, side by side for several series.

function barsView(svg, layout, look) {
  const places = layout.categories.length;
  const axesLayer = svgNode("g", {}, svg);
  const clip = clipTo(svg);
  const plot = svgNode("g", { "clip-path": clip.url }, svg);
  const shade = svgNode("rect", { class: "ibx-shade", visibility: "hidden" }, plot);
  const groups = layout.names.map((name) =>
    svgNode("g", { class: "ibx-series", "data-name": name, style: look.color(name) }, plot),
  );
  let axes = null;
  let now = null;

  function frame(limits, width, height) {
    const longest = Math.max(...layout.categories.map(textWidth));
    const turned = longest + 4 > (width - 60) / places && longest > 26;
    const extraBottom = turned ? Math.min(46, longest * 0.66) : 0;
    axes = drawAxes(axesLayer, layout, limits, width, height, { noX: true, extraBottom });
    const { left, right, bottom } = axes.box;
    clip.set(axes.box);
    const step = (right - left) / places;
    const skip = turned ? Math.ceil(13 / step) : Math.ceil((longest + 5) / step);
    layout.categories.forEach((name, place) => {
      if (place % skip) return;
      const at = `translate(${left + (place + 0.5) * step},${bottom + (turned ? 11 : 16)})`;
      svgNode(
        "text",
        { transform: turned ? `${at} rotate(-42)` : at, "text-anchor": turned ? "end" : "middle" },
        axesLayer,
      ).textContent = name;
    });
    const ground = layout.yscale === "log" ? bottom : axes.y(Math.min(Math.max(0, axes.y.low), axes.y.high));
    svgNode("path", { class: "ibx-axis", d: `M${left},${ground}H${right}` }, axesLayer);
    axes.ground = ground;
    axes.step = step;
  }

  function paint(data) {
    now = data;
    const shown = layout.names.filter((name) => !look.isHidden(name) && data.get(`y:${name}`));
    const wide = Math.min((axes.step * 0.78) / Math.max(shown.length, 1), 46);
    layout.names.forEach((name, number) => {
      const place = shown.indexOf(name);
      groups[number].style.display = place < 0 ? "none" : "";
      if (place < 0) return;
      const heights = data.get(`y:${name}`);
      keepNodes(groups[number], "rect", heights.length, { class: "ibx-bar" }).forEach((node, i) => {
        const end = axes.y(heights[i]);
        const drawn = Number.isFinite(end);
        const middle = axes.box.left + (i + 0.5) * axes.step + (place - (shown.length - 1) / 2) * wide;
        const top = drawn ? Math.min(end, axes.ground) : axes.ground;
        setAll(node, {
          x: (middle - wide * 0.46).toFixed(1),
          width: (wide * 0.92).toFixed(1),
          y: top.toFixed(1),
          height: (drawn ? Math.abs(end - axes.ground) : 0).toFixed(1),
        });
      });
    });
  }

  return {
    frame,
    paint,
    count: () => places,
    nearest: (x) => Math.min(places - 1, Math.max(0, Math.floor((x - axes.box.left) / axes.step))),
    at(index) {
      const shown = layout.names.filter((name) => !look.isHidden(name) && now.get(`y:${name}`));
      const rows = shown.map((name) => ({ name, text: numberText(now.get(`y:${name}`)[index]) }));
      const head = layout.xlabel ? `${layout.xlabel}: ${layout.categories[index]}` : layout.categories[index];
      return { x: axes.box.left + (index + 0.5) * axes.step, y: axes.box.top + 14, head, rows, index };
    },
    mark(reading) {
      shade.setAttribute("visibility", reading ? "visible" : "hidden");
      if (!reading) return;
      const { left, top, bottom } = axes.box;
      setAll(shade, { x: left + reading.index * axes.step, y: top, width: axes.step, height: bottom - top });
    },
  };
}
