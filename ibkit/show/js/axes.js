// The frame of a plot: where it lies in the panel, its ticks, grid lines and labels.

const LETTER = 6.3; // about the width of a letter of tick text, in pixels

function textWidth(text) {
  return text.length * LETTER;
}

// Draws the axes of `layout` between the limits into `layer`, and gives the scales and the box.
function drawAxes(layer, layout, limits, width, height, options = {}) {
  layer.replaceChildren();
  const [x0, x1, y0, y1] = limits;
  const bare = layout.frame === false;
  const top = 8;
  const bottom = height - (bare ? 8 : (layout.xlabel ? 38 : 22) + (options.extraBottom || 0));
  const probe = makeScale(layout.yscale || "linear", y0, y1, bottom, top);
  const yTicks = bare ? [] : makeTicks(probe, probe.kind === "log" ? 30 : 42);
  const widest = Math.max(0, ...yTicks.map((tick) => textWidth(tick.text)));
  const left = bare ? 8 : Math.ceil(widest + 11 + (layout.ylabel ? 17 : 0));
  const right = width - 12;
  let ends = { x0, x1, y0, y1 };
  if (layout.equal) ends = equalEnds(ends, right - left, bottom - top);
  const y = makeScale(layout.yscale || "linear", ends.y0, ends.y1, bottom, top);
  const x = makeScale(layout.xscale || "linear", ends.x0, ends.x1, left, right);
  const box = { left, right, top, bottom };
  if (!bare) {
    if (!options.noX) drawXTicks(layer, x, box);
    drawYTicks(layer, y, box, layout.equal ? makeTicks(y, 42) : yTicks);
    drawLabels(layer, layout, box, height);
  }
  return { x, y, box };
}

// One unit as long in x as in y: widen the axis that has room to spare.
function equalEnds({ x0, x1, y0, y1 }, width, height) {
  const unit = Math.max((x1 - x0) / width, (y1 - y0) / height);
  const moreX = (unit * width - (x1 - x0)) / 2;
  const moreY = (unit * height - (y1 - y0)) / 2;
  return { x0: x0 - moreX, x1: x1 + moreX, y0: y0 - moreY, y1: y1 + moreY };
}

function drawXTicks(layer, scale, box) {
  const ticks = makeTicks(scale, scale.kind === "log" ? 44 : 62);
  for (const { value, text, minor } of ticks) {
    const at = scale(value);
    if (!(at >= box.left - 0.5 && at <= box.right + 0.5)) continue;
    const group = svgNode(
      "g",
      {
        class: "ibx-tick",
        "data-axis": "x",
        "data-value": value,
        transform: `translate(${at.toFixed(2)},${box.bottom})`,
      },
      layer,
    );
    if (!minor) svgNode("line", { class: "ibx-grid", y2: box.top - box.bottom }, group);
    svgNode("line", { class: "ibx-axis", y2: minor ? 2.5 : 4 }, group);
    if (text) svgNode("text", { y: 16, "text-anchor": "middle" }, group).textContent = text;
  }
  svgNode("path", { class: "ibx-axis", d: `M${box.left},${box.bottom}H${box.right}` }, layer);
}

function drawYTicks(layer, scale, box, ticks) {
  for (const { value, text, minor } of ticks) {
    const at = scale(value);
    if (!(at <= box.bottom + 0.5 && at >= box.top - 0.5)) continue;
    const group = svgNode(
      "g",
      {
        class: "ibx-tick",
        "data-axis": "y",
        "data-value": value,
        transform: `translate(${box.left},${at.toFixed(2)})`,
      },
      layer,
    );
    if (!minor) svgNode("line", { class: "ibx-grid", x2: box.right - box.left }, group);
    svgNode("line", { class: "ibx-axis", x2: minor ? -2.5 : -4 }, group);
    if (text) svgNode("text", { x: -7, dy: "0.34em", "text-anchor": "end" }, group).textContent = text;
  }
  svgNode("path", { class: "ibx-axis", d: `M${box.left},${box.top}V${box.bottom}` }, layer);
}

function drawLabels(layer, layout, box, height) {
  const middle = (box.left + box.right) / 2;
  if (layout.xlabel)
    svgNode("text", { class: "ibx-label", x: middle, y: height - 5, "text-anchor": "middle" }, layer).textContent =
      layout.xlabel;
  if (layout.ylabel) {
    const turned = `translate(12,${(box.top + box.bottom) / 2}) rotate(-90)`;
    svgNode("text", { class: "ibx-label", transform: turned, "text-anchor": "middle" }, layer).textContent =
      layout.ylabel;
  }
}

function clipTo(svg, box) {
  const id = freshId("clip");
  const path = svgNode("clipPath", { id }, svg);
  const rect = svgNode("rect", {}, path);
  const set = ({ left, right, top, bottom }) =>
    setAll(rect, {
      x: left - 1,
      y: top - 1,
      width: Math.max(0, right - left + 2),
      height: Math.max(0, bottom - top + 2),
    });
  if (box) set(box);
  return { url: `url(#${id})`, set };
}
