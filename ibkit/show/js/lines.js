// Curves. A view has: frame(limits, width, height) for what changes rarely, paint(frame) for what a slider changes,
// and for reading values count(), nearest(x, y) and at(index).

function linesView(svg, layout, look) {
  const axesLayer = svgNode("g", {}, svg);
  const clip = clipTo(svg);
  const plot = svgNode("g", { "clip-path": clip.url }, svg);
  const guides = layout.guides.map(() => svgNode("path", { class: "ibx-guide" }, plot));
  const verticals = layout.verticals.map(() => svgNode("path", { class: "ibx-guide" }, plot));
  const curves = layout.names.map((name) => {
    const group = svgNode("g", { class: "ibx-series", "data-name": name, style: look.color(name) }, plot);
    return {
      name,
      group,
      band: svgNode("path", { class: "ibx-band" }, group),
      line: svgNode("path", { class: "ibx-line", "stroke-dasharray": look.dash(layout, name) }, group),
      dots: svgNode("path", { class: "ibx-dots" }, group),
    };
  });
  const words = svgNode("g", { class: "ibx-words" }, svg);
  const cursor = svgNode("g", { class: "ibx-cursor" }, svg);
  let axes = null;
  let now = null;

  function frame(limits, width, height) {
    axes = drawAxes(axesLayer, layout, limits, width, height);
    clip.set(axes.box);
  }

  function paint(data) {
    now = data;
    for (const { name, group, band, line, dots } of curves) {
      const x = data.get(`x:${name}`);
      const y = data.get(`y:${name}`);
      group.style.display = !x || look.isHidden(name) ? "none" : "";
      if (!x) continue;
      line.setAttribute("d", curvePath(x, y, axes.x, axes.y));
      dots.setAttribute("d", x.length <= 12 ? dotsPath(x, y, axes.x, axes.y, 2.6) : "");
      const low = data.get(`low:${name}`);
      band.setAttribute("d", low ? bandPath(x, low, data.get(`high:${name}`), axes.x, axes.y) : "");
    }
    paintGuides(data);
  }

  function paintGuides(data) {
    const { left, right, top, bottom } = axes.box;
    const texts = keepNodes(words, "text", guides.length + verticals.length, { class: "ibx-guide-text" });
    layout.guides.forEach((name, place) => {
      const values = data.get(`guide:${name}`);
      const x = data.get(`guide-x:${name}`);
      const level = values && !x ? axes.y(values[0]) : NaN;
      guides[place].setAttribute(
        "d",
        x
          ? curvePath(x, values, axes.x, axes.y)
          : Number.isFinite(level)
            ? `M${left},${level.toFixed(1)}H${right}`
            : "",
      );
      const inside = level >= top && level <= bottom;
      const below = inside && level - top < 14 ? 12 : -4;
      const atLeft = inside && clearance(data, level + below, false) > clearance(data, level + below, true);
      const end = x ? lastInside(x, values, axes) : inside ? [atLeft ? left + 6 : right, level] : null;
      const drop = end && end[1] - top < 14 ? 12 : -4;
      setAll(texts[place], {
        x: end ? (atLeft ? end[0] : Math.min(end[0], right) - 3) : 0,
        y: end ? end[1] + drop : -99,
        "text-anchor": atLeft ? "start" : "end",
      });
      texts[place].textContent = name;
    });
    layout.verticals.forEach((name, place) => {
      const values = data.get(`vertical:${name}`);
      const at = values ? axes.x(values[0]) : NaN;
      const inside = at >= left - 0.5 && at <= right + 0.5;
      verticals[place].setAttribute("d", inside ? `M${at.toFixed(1)},${top}V${bottom}` : "");
      const before = inside && at + textWidth(name) + 6 > right;
      const text = texts[guides.length + place];
      setAll(text, {
        x: inside ? at + (before ? -4 : 4) : 0,
        y: inside ? top + 9 : -99,
        "text-anchor": before ? "end" : "start",
      });
      text.textContent = name;
    });
  }

  // How far the curves stay from a height, at the right or left end of the plot.
  function clearance(data, height, atRight) {
    const heights = shown().map(({ name }) => {
      const y = data.get(`y:${name}`);
      return axes.y(y[atRight ? y.length - 1 : 0]);
    });
    return Math.min(60, ...heights.filter(Number.isFinite).map((y) => Math.abs(y - height)));
  }

  const shown = () => curves.filter(({ name }) => now && now.get(`x:${name}`) && !look.isHidden(name));
  const longest = () =>
    shown().reduce(
      (most, { name }) => (now.get(`x:${name}`).length > (most ? most.length : 0) ? now.get(`x:${name}`) : most),
      null,
    );

  function at(index) {
    const positions = longest();
    const place = axes.x(positions[index]);
    const rows = [];
    for (const { name } of shown()) {
      const x = now.get(`x:${name}`);
      const near = nearestIndex(x, positions[index], axes.x);
      const value = now.get(`y:${name}`)[near];
      rows.push({ name, text: numberText(value), x: axes.x(x[near]), y: axes.y(value) });
    }
    return { x: place, y: 0, box: axes.box, head: `${layout.xlabel || "x"}: ${numberText(positions[index])}`, rows };
  }

  return {
    frame,
    paint,
    count: () => (longest() || []).length,
    nearest(x) {
      const positions = longest();
      return positions ? nearestIndex(positions, axes.x.invert(x), axes.x) : -1;
    },
    at,
    mark(reading) {
      const count = reading ? reading.rows.length : 0;
      const nodes = keepNodes(cursor, "circle", count, { r: 3.4, class: "ibx-mark" });
      axesLayer.querySelector(".ibx-hair")?.remove();
      if (!reading) return;
      const hair = svgNode(
        "path",
        { class: "ibx-hair", d: `M${reading.x.toFixed(1)},${axes.box.top}V${axes.box.bottom}` },
        axesLayer,
      );
      hair.style.display = Number.isFinite(reading.x) ? "" : "none";
      reading.rows.forEach((row, place) => {
        const inside = row.y >= axes.box.top - 1 && row.y <= axes.box.bottom + 1;
        setAll(nodes[place], { cx: row.x, cy: inside ? row.y : -99, style: look.color(row.name) });
      });
    },
  };
}

function curvePath(x, y, sx, sy) {
  let path = "";
  let pen = "M";
  for (let i = 0; i < x.length; i++) {
    const px = sx(x[i]);
    const py = sy(y[i]);
    if (!Number.isFinite(px) || !Number.isFinite(py)) {
      pen = "M";
      continue;
    }
    // Far outside is as good as outside, and keeps the numbers short.
    path += pen + Math.round(px * 10) / 10 + "," + Math.round(Math.min(Math.max(py, -9999), 9999) * 10) / 10;
    pen = "L";
  }
  return path;
}

function dotsPath(x, y, sx, sy, r) {
  let path = "";
  for (let i = 0; i < x.length; i++) {
    const px = sx(x[i]);
    const py = sy(y[i]);
    if (Number.isFinite(px) && Number.isFinite(py))
      path += `M${(px - r).toFixed(1)},${py.toFixed(1)}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`;
  }
  return path;
}

// The band of each run of drawable places: forth along its upper edge, back along its lower one.
function bandPath(x, low, high, sx, sy) {
  let path = "";
  let forth = [];
  let back = [];
  const close = () => {
    if (forth.length > 1) path += `M${forth.join("L")}L${back.reverse().join("L")}Z`;
    forth = [];
    back = [];
  };
  for (let i = 0; i < x.length; i++) {
    const points = [sx(x[i]), sy(low[i]), sy(high[i])];
    if (!points.every(Number.isFinite)) {
      close();
      continue;
    }
    forth.push(`${points[0].toFixed(1)},${points[2].toFixed(1)}`);
    back.push(`${points[0].toFixed(1)},${points[1].toFixed(1)}`);
  }
  close();
  return path;
}

function nearestIndex(values, wanted, scale) {
  const target = scale(wanted);
  let best = 0;
  let least = Infinity;
  for (let i = 0; i < values.length; i++) {
    const distance = Math.abs(scale(values[i]) - target);
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

function lastInside(x, y, { x: sx, y: sy, box }) {
  for (let i = x.length - 1; i >= 0; i--) {
    const px = sx(x[i]);
    const py = sy(y[i]);
    if (px >= box.left && px <= box.right + 1 && py >= box.top && py <= box.bottom) return [px, py];
  }
  return null;
}
