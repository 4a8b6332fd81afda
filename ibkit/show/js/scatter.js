// Points, arrows and paths in a plane, with labels that keep out of each other's way.

const SHAPES = [
  (x, y, r) => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
  (x, y, r) => `M${x - r * 0.9},${y - r * 0.9}h${1.8 * r}v${1.8 * r}h${-1.8 * r}Z`,
  (x, y, r) => `M${x},${y - r * 1.2}l${r * 1.1},${r * 2}h${-2.2 * r}Z`,
  (x, y, r) => `M${x},${y - r * 1.3}l${r * 1.3},${r * 1.3}l${-r * 1.3},${r * 1.3}l${-r * 1.3},${-r * 1.3}Z`,
  (x, y, r) => `M${x},${y + r * 1.2}l${r * 1.1},${-r * 2}h${-2.2 * r}Z`,
  (x, y, r) =>
    `M${x - r * 0.4},${y - r * 1.2}h${0.8 * r}v${0.8 * r}h${0.8 * r}v${0.8 * r}h${-0.8 * r}v${0.8 * r}h${-0.8 * r}v${-0.8 * r}h${-0.8 * r}v${-0.8 * r}h${0.8 * r}Z`,
];

function scatterView(svg, layout, look) {
  const axesLayer = svgNode("g", {}, svg);
  const clip = clipTo(svg);
  const plot = svgNode("g", { "clip-path": clip.url }, svg);
  const series = layout.names.map((name, place) => {
    const group = svgNode("g", { class: "ibx-series", "data-name": name, style: look.color(name) }, plot);
    return {
      name,
      group,
      shape: SHAPES[place % SHAPES.length],
      line: svgNode("path", { class: "ibx-line ibx-path", "stroke-dasharray": look.dash(layout, name) }, group),
      shafts: svgNode("path", { class: "ibx-line ibx-shaft" }, group),
      heads: svgNode("path", { class: "ibx-dots" }, group),
      points: svgNode("path", { class: "ibx-points" }, group),
    };
  });
  const words = svgNode("g", { class: "ibx-words" }, svg);
  const ring = svgNode("circle", { class: "ibx-ring", r: 8, cy: -99 }, svg);
  let axes = null;
  let readings = [];

  function frame(limits, width, height) {
    axes = drawAxes(axesLayer, layout, limits, width, height);
    clip.set(axes.box);
    const { x, y, box } = axes;
    if (layout.frame && x.low < 0 && x.high > 0)
      svgNode("path", { class: "ibx-zero", d: `M${x(0)},${box.top}V${box.bottom}` }, axesLayer);
    if (layout.frame && y.low < 0 && y.high > 0)
      svgNode("path", { class: "ibx-zero", d: `M${box.left},${y(0)}H${box.right}` }, axesLayer);
  }

  function paint(data) {
    readings = [];
    const labels = [];
    const round = (value) => Math.round(value * 10) / 10;
    for (const { name, group, shape, line, shafts, heads, points } of series) {
      const hidden = look.isHidden(name);
      group.style.display = hidden ? "none" : "";
      if (hidden) continue;
      const texts = data.words(name);
      const note = (i, x, y, from, kind) => {
        const px = axes.x(x);
        const py = axes.y(y);
        if (!Number.isFinite(px) || !Number.isFinite(py)) return;
        if (kind === labelled) readings.push({ x: px, y: py, name, head: texts[i] || "", value: [x, y] });
        if (kind === labelled && texts[i]) labels.push({ text: texts[i], x: px, y: py, from });
      };
      const path = data.get(`paths:${name}`);
      const arrows = data.get(`arrows:${name}`);
      const dots = data.get(`points:${name}`);
      const labelled = arrows ? "arrows" : dots ? "points" : "paths";
      line.setAttribute("d", path ? pairsPath(path, axes) : "");
      let shaftPath = "";
      let headPath = "";
      for (let i = 0; arrows && i < arrows.length / 4; i++) {
        const [x0, y0, x1, y1] = arrows.subarray(4 * i, 4 * i + 4);
        const [a, b, c, d] = [axes.x(x0), axes.y(y0), axes.x(x1), axes.y(y1)];
        const length = Math.hypot(c - a, d - b);
        if (!Number.isFinite(length)) continue;
        const [ux, uy] = length ? [(c - a) / length, (d - b) / length] : [0, 0];
        const head = Math.min(9, length);
        shaftPath += `M${round(a)},${round(b)}L${round(c - ux * head * 0.7)},${round(d - uy * head * 0.7)}`;
        headPath += `M${round(c)},${round(d)}L${round(c - ux * head - uy * head * 0.42)},${round(d - uy * head + ux * head * 0.42)}L${round(c - ux * head + uy * head * 0.42)},${round(d - uy * head - ux * head * 0.42)}Z`;
        note(i, x1, y1, [ux, uy], "arrows");
      }
      shafts.setAttribute("d", shaftPath);
      let pointPath = "";
      for (let i = 0; dots && i < dots.length / 2; i++) {
        const [px, py] = [axes.x(dots[2 * i]), axes.y(dots[2 * i + 1])];
        if (Number.isFinite(px) && Number.isFinite(py))
          pointPath += shape(round(px), round(py), dots.length > 160 ? 2.4 : 4);
        note(i, dots[2 * i], dots[2 * i + 1], null, "points");
      }
      points.setAttribute("d", pointPath);
      if (path && path.length >= 2) {
        const end = path.length - 2;
        if (!dots) headPath += shape(round(axes.x(path[end])), round(axes.y(path[end + 1])), 3.4);
        if (labelled === "paths")
          for (let i = 0; i < path.length / 2; i++) note(i, path[2 * i], path[2 * i + 1], null, "paths");
      }
      heads.setAttribute("d", headPath);
    }
    placeWords(
      words,
      labels,
      readings.map(({ x, y }) => [x - 4, y - 4, x + 4, y + 4]),
      axes.box,
    );
  }

  return {
    frame,
    paint,
    count: () => readings.length,
    nearest(x, y) {
      let best = -1;
      let least = 26 ** 2;
      readings.forEach((reading, index) => {
        const distance = (reading.x - x) ** 2 + (reading.y - y) ** 2;
        if (distance < least) {
          least = distance;
          best = index;
        }
      });
      return best;
    },
    at(index) {
      const { x, y, name, head, value } = readings[index];
      const place = `(${numberText(value[0], 3)}, ${numberText(value[1], 3)})`;
      return { x, y, head, rows: [{ name, text: place }] };
    },
    mark: (reading) => setAll(ring, { cx: reading ? reading.x : 0, cy: reading ? reading.y : -99 }),
  };
}

// Each label tries eight places around its point, the one along its arrow first, and takes the freest.
function placeWords(layer, labels, taken, box) {
  const nodes = keepNodes(layer, "text", labels.length, { class: "ibx-word" });
  labels.forEach(({ text, x, y, from }, place) => {
    const wide = textWidth(text) + 2;
    let best = null;
    for (let turn = 0; turn < 8; turn++) {
      const angle =
        (from ? Math.atan2(from[1], from[0]) : -Math.PI / 4) + [0, 1, -1, 2, -2, 3, -3, 4][turn] * (Math.PI / 4);
      const cx = x + Math.cos(angle) * (7 + wide / 2);
      const cy = y + Math.sin(angle) * 13;
      const area = [cx - wide / 2, cy - 6.5, cx + wide / 2, cy + 6.5];
      let cost = turn * 2;
      for (const other of taken) cost += overlap(area, other);
      const { left, right, top, bottom } = box;
      cost +=
        6 *
        (Math.max(0, left - area[0]) * 13 +
          Math.max(0, area[2] - right - 10) * 13 +
          Math.max(0, top - area[1]) * wide +
          Math.max(0, area[3] - bottom) * wide);
      if (!best || cost < best.cost) best = { cost, cx, cy, area };
    }
    taken.push(best.area);
    setAll(nodes[place], { x: best.cx.toFixed(1), y: (best.cy + 4).toFixed(1), "text-anchor": "middle" });
    if (nodes[place].textContent !== text) nodes[place].textContent = text;
  });
}

function pairsPath(pairs, axes) {
  let path = "";
  let pen = "M";
  for (let i = 0; i < pairs.length; i += 2) {
    const px = axes.x(pairs[i]);
    const py = axes.y(pairs[i + 1]);
    const drawable = Number.isFinite(px) && Number.isFinite(py);
    if (drawable) path += `${pen}${px.toFixed(1)},${py.toFixed(1)}`;
    pen = drawable ? "L" : "M";
  }
  return path;
}

function overlap(a, b) {
  return (
    Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]))
  );
}
