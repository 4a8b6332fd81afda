// Arrows from the origin in space, seen by a camera that goes round them; orthographic, the far ones paler.

const TURN = 10; // degrees that an arrow key turns
const PULL = 0.5; // degrees a pixel of dragging
const PALEST = 0.5; // the share of its colour that the farthest arrow keeps

function arrows3dView(svg, layout, look, repaint) {
  svg.classList.add("ibx-space");
  const far = svgNode("g", {}, svg);
  const things = svgNode("g", {}, svg);
  const near = svgNode("g", {}, svg);
  const words = svgNode("g", { class: "ibx-words" }, svg);
  const ring = svgNode("circle", { class: "ibx-ring", r: 8, cy: -99 }, svg);
  let [azimuth, elevation] = layout.view;
  let box = null;
  let reach = 1;
  let readings = [];
  const drag = followDrag(svg, (right, down) => turn(-right * PULL, down * PULL));
  svg.addEventListener("dblclick", reset);

  function turn(round, up) {
    azimuth = ((((azimuth + round) % 360) + 540) % 360) - 180;
    elevation = Math.min(90, Math.max(-90, elevation + up));
    repaint();
  }

  function reset() {
    [azimuth, elevation] = layout.view;
    repaint();
  }

  function frame(limits, width, height) {
    reach = limits[1];
    const size = Math.min(width, height) - 2 * 15;
    box = { left: 0, right: width - 10, top: 0, bottom: height, x: width / 2, y: height / 2, unit: size / 2 / reach };
  }

  function paint(data) {
    readings = [];
    const see = makeCamera(azimuth, elevation, box);
    const drawn = [];
    const tips = [];
    const labels = [];
    for (const name of layout.names) {
      const vectors = data.get(`arrows:${name}`) || [];
      const texts = data.words(name);
      for (let i = 0; i < vectors.length / 3; i++) {
        const value = Array.from(vectors.subarray(3 * i, 3 * i + 3));
        const tip = look.isHidden(name) || !value.every(Number.isFinite) ? null : see(value);
        tips.push(tip);
        if (!tip) continue;
        drawn.push({ depth: tip.z / 2, fade: tip.z, name, ...arrowPaths(tip, box) });
        readings.push({ x: tip.x, y: tip.y, name, head: texts[i] || "", value });
        if (texts[i]) labels.push({ text: texts[i], x: tip.x, y: tip.y, from: away(tip, box) });
      }
    }
    for (const chain of layout.edges) {
      for (let i = 1; i < chain.length; i++) {
        const [a, b] = [tips[chain[i - 1]], tips[chain[i]]];
        if (!a || !b) continue;
        const depth = (a.z + b.z) / 2;
        drawn.push({ depth, fade: depth, edge: "ibx-edge", shaft: `M${a.at}L${b.at}` });
      }
    }
    if (layout.guide === "axes") addAxes(drawn, labels, see, reach, box);
    drawGuides(layout, see, far, near, box);
    drawInOrder(things, drawn, reach, look);
    placeWords(
      words,
      labels,
      readings.map(({ x, y }) => [x - 4, y - 4, x + 4, y + 4]),
      box,
    );
  }

  return {
    frame,
    paint,
    reset,
    turning: drag.active,
    help: "Arrow keys turn the drawing, Home turns it back, Page Up and Page Down read the arrows.",
    describe: (data) => [data.title, `arrows from one point in space (${layout.names.join(", ")})`],
    press(event) {
      const turns = { ArrowLeft: [TURN, 0], ArrowRight: [-TURN, 0], ArrowUp: [0, -TURN], ArrowDown: [0, TURN] };
      if (event.key === "Home") reset();
      else if (event.key in turns && !(event.altKey || event.ctrlKey || event.metaKey)) turn(...turns[event.key]);
      else return false;
      repaint(`Seen from ${Math.round(azimuth)} degrees round, ${Math.round(elevation)} degrees up`);
      return true;
    },
    count: () => readings.length,
    nearest(x, y) {
      const distances = readings.map((reading) => Math.hypot(reading.x - x, reading.y - y));
      const least = Math.min(...distances);
      return least < 24 ? distances.indexOf(least) : -1;
    },
    at(index) {
      const { x, y, name, head, value } = readings[index];
      return { x, y, head, rows: [{ name, text: `(${value.map((part) => numberText(part, 3)).join(", ")})` }] };
    },
    mark: (reading) => setAll(ring, { cx: reading ? reading.x : 0, cy: reading ? reading.y : -99 }),
  };
}

// From a point in space to pixels and depth (towards the reader), by the formula of ibkit.show.arrows.camera.
function makeCamera(azimuth, elevation, box) {
  const [a, e] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180];
  const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
  return ([p, q, r]) => {
    const right = -sa * p + ca * q;
    const up = -se * (ca * p + sa * q) + ce * r;
    const x = box.x + right * box.unit;
    const y = box.y - up * box.unit;
    return { x, y, z: ce * (ca * p + sa * q) + se * r, at: `${x.toFixed(1)},${y.toFixed(1)}` };
  };
}

// Drags with the mouse go both ways; with a finger only those that begin sideways, the others scroll the page.
function followDrag(svg, onMove) {
  let held = null;
  const letGo = () => {
    held = null;
    delete svg.dataset.turning;
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    held = { id: event.pointerId, x: event.clientX, y: event.clientY };
    svg.setPointerCapture(held.id);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!held || event.pointerId !== held.id) return;
    const [right, down] = [event.clientX - held.x, event.clientY - held.y];
    if (!("turning" in svg.dataset)) {
      if (Math.hypot(right, down) < 3) return; // a click, so far
      if (event.pointerType === "touch" && Math.abs(right) <= Math.abs(down)) return;
      svg.dataset.turning = "";
    }
    held = { id: held.id, x: event.clientX, y: event.clientY };
    onMove(right, down);
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) svg.addEventListener(kind, letGo);
  return { active: () => "turning" in svg.dataset };
}

function away(tip, box) {
  const length = Math.hypot(tip.x - box.x, tip.y - box.y);
  return length > 4 ? [(tip.x - box.x) / length, (tip.y - box.y) / length] : [0, -1];
}

// A shaft and a head; the head is the outline of a cone: a triangle on its round ground.
function arrowPaths(tip, box) {
  const [dx, dy] = [tip.x - box.x, tip.y - box.y];
  const flat = Math.hypot(dx, dy);
  const length = Math.hypot(flat, tip.z * box.unit);
  if (!length) return { shaft: "", head: "" };
  const back = Math.min(12, 0.6 * length) / length;
  const wide = 4.4;
  const [ux, uy] = flat > 0.01 ? [dx / flat, dy / flat] : [1, 0];
  const [x, y] = [tip.x - dx * back, tip.y - dy * back];
  const point = (px, py) => `${px.toFixed(1)},${py.toFixed(1)}`;
  const [left, right] = [point(x - uy * wide, y + ux * wide), point(x + uy * wide, y - ux * wide)];
  const degrees = ((Math.atan2(uy, ux) * 180) / Math.PI).toFixed(1);
  const round = `${((wide * Math.abs(tip.z) * box.unit) / length).toFixed(1)},${wide} ${degrees}`;
  return {
    shaft: `M${point(box.x, box.y)}L${point(x, y)}`,
    head: `M${tip.at}L${left}L${right}ZM${left}A${round} 0,1 ${right}A${round} 0,1 ${left}Z`,
  };
}

function addAxes(drawn, labels, see, reach, box) {
  for (const axis of [0, 1, 2]) {
    for (const sign of [1, -1]) {
      const end = see([0, 1, 2].map((other) => (other === axis ? sign * reach : 0)));
      drawn.push({
        depth: end.z / 2,
        fade: end.z,
        edge: "ibx-edge ibx-rod",
        shaft: `M${box.x.toFixed(1)},${box.y.toFixed(1)}L${end.at}`,
      });
      if (sign > 0) labels.push({ text: String(axis + 1), x: end.x, y: end.y, from: away(end, box) });
    }
  }
}

// The sphere: its outline, and three great circles; their far halves lie behind all arrows, the near ones before them.
function drawGuides(layout, see, far, near, box) {
  if (layout.guide !== "sphere") return;
  const halves = keepNodes(far, "path", 4, { class: "ibx-great ibx-great-far" });
  const fronts = keepNodes(near, "path", 3, { class: "ibx-great" });
  const r = layout.radius * box.unit;
  setAll(halves[0], { class: "ibx-ball", d: SHAPES[0](box.x, box.y, r) });
  for (const axis of [0, 1, 2]) {
    const paths = ["", ""];
    let last = -1;
    for (let i = 0; i <= 64; i++) {
      const angle = (i * Math.PI) / 32;
      const place = [0, 0, 0];
      place[axis] = layout.radius * Math.cos(angle);
      place[(axis + 1) % 3] = layout.radius * Math.sin(angle);
      const { at, z } = see(place);
      const side = z >= 0 ? 1 : 0;
      paths[side] += (side === last ? "L" : "M") + at;
      last = side;
    }
    halves[axis + 1].setAttribute("d", paths[0]);
    fronts[axis].setAttribute("d", paths[1]);
  }
}

// The far first; a node is made once and used for whatever stands at its place in the order.
function drawInOrder(layer, drawn, reach, look) {
  drawn.sort((a, b) => a.depth - b.depth);
  keepNodes(layer, "g", drawn.length, {}).forEach((group, place) => {
    const { name, edge, shaft, head, fade } = drawn[place];
    const [line, cone] = keepNodes(group, "path", 2, {});
    const share = PALEST + ((1 - PALEST) * (1 + Math.min(1, Math.max(-1, fade / reach)))) / 2;
    setAll(group, {
      class: edge || "ibx-series ibx-arrow",
      "data-name": name || "",
      style: `${name ? look.color(name) + ";" : ""}--f:${(100 * share).toFixed(0)}%`,
    });
    setAll(line, { class: edge ? "" : "ibx-shaft", d: shaft });
    setAll(cone, { class: edge ? "" : "ibx-head", d: head || "" });
  });
}
