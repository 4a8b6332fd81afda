// A matrix as coloured cells with a colour bar. Large matrices are drawn as one image.

const MOST_CELLS = 1600;

function heatmapView(svg, layout) {
  const [rows, columns] = layout.shape;
  const stops = MAPS[layout.symmetric ? "diverging" : "sequential"];
  const axesLayer = svgNode("g", {}, svg);
  const many = rows * columns > MOST_CELLS;
  const image = many
    ? svgNode("image", { preserveAspectRatio: "none", style: "image-rendering:pixelated" }, svg)
    : null;
  const canvas = many ? setAll(document.createElement("canvas"), { width: columns, height: rows }) : null;
  const cells = svgNode("g", {}, svg);
  const words = svgNode("g", { class: "ibx-cells" }, svg);
  const cursor = svgNode("rect", { class: "ibx-cell-mark", visibility: "hidden" }, svg);
  let grid = null;
  let values = null;
  let range = [0, 1];

  function frame(limits, width, height) {
    range = [limits[2], limits[3]];
    axesLayer.replaceChildren();
    const longest = (labels) => Math.max(0, ...(labels || []).map(textWidth));
    const left = layout.rows ? Math.min(longest(layout.rows), width * 0.3) + 8 : 4;
    const barTexts = range.map((end) => numberText(end, 3));
    const right = 26 + Math.max(...barTexts.map(textWidth));
    let bottom = layout.columns ? 20 : 6;
    let size = cellSize(width - left - right, height - 8 - bottom);
    const turned = longest(layout.columns) > Math.max(size - 3, 0) && size >= 9 && longest(layout.columns) > 20;
    if (turned) {
      bottom = Math.min(64, longest(layout.columns) * 0.72 + 14);
      size = cellSize(width - left - right, height - 8 - bottom);
    }
    const x = left + Math.max(0, (width - left - right - size * columns) / 2);
    const y = 8 + Math.max(0, (height - 8 - bottom - size * rows) / 2);
    grid = { x, y, size };
    drawNames(turned);
    drawBar(x + size * columns + 10, barTexts);
    if (many) setAll(image, { x, y, width: size * columns, height: size * rows });
    else layCells();
    values = null;
  }

  function cellSize(wide, high) {
    return Math.max(1, Math.min(wide / columns, high / rows, 56));
  }

  function drawNames(turned) {
    const { x, y, size } = grid;
    const stride = Math.max(1, Math.ceil(13 / size));
    (layout.rows || []).forEach((name, row) => {
      if (row % stride) return;
      svgNode(
        "text",
        { x: x - 6, y: y + (row + 0.5) * size, dy: "0.34em", "text-anchor": "end" },
        axesLayer,
      ).textContent = name;
    });
    const widest = Math.max(0, ...(layout.columns || []).map(textWidth));
    const skip = turned ? stride : Math.max(1, Math.ceil((widest + 3) / size));
    (layout.columns || []).forEach((name, column) => {
      if (column % skip) return;
      const at = `translate(${x + (column + 0.5) * size},${y + rows * size + (turned ? 9 : 14)})`;
      const text = svgNode(
        "text",
        { transform: turned ? `${at} rotate(-42)` : at, "text-anchor": turned ? "end" : "middle" },
        axesLayer,
      );
      text.textContent = name;
    });
  }

  function drawBar(left, texts) {
    const { y, size } = grid;
    const height = Math.max(size * rows, 40);
    const id = freshId("bar");
    const gradient = svgNode("linearGradient", { id, x1: 0, x2: 0, y1: 1, y2: 0 }, axesLayer);
    stops.forEach((stop, place) =>
      svgNode("stop", { offset: place / (stops.length - 1), "stop-color": `rgb(${stop})` }, gradient),
    );
    svgNode("rect", { x: left, y, width: 9, height, fill: `url(#${id})`, rx: 1.5 }, axesLayer);
    const ends = [
      [texts[1], y + 5],
      [texts[0], y + height - 3],
    ];
    if (layout.symmetric && height > 60) ends.push(["0", y + height / 2]);
    for (const [text, at] of ends) svgNode("text", { x: left + 13, y: at, dy: "0.3em" }, axesLayer).textContent = text;
  }

  function layCells() {
    const { x, y, size } = grid;
    const gap = size > 14 ? 1 : 0;
    const nodes = keepNodes(cells, "rect", rows * columns, { class: "ibx-cell" });
    nodes.forEach((node, place) => {
      const [row, column] = [Math.floor(place / columns), place % columns];
      setAll(node, {
        x: x + column * size,
        y: y + row * size,
        width: Math.max(0.5, size - gap),
        height: Math.max(0.5, size - gap),
        rx: gap ? 1.5 : 0,
      });
    });
  }

  function paint(data) {
    const next = data.get("matrix");
    if (next === values) return;
    values = next;
    const share = (value) => (value - range[0]) / (range[1] - range[0]);
    if (many) paintImage(share);
    else paintCells(share);
  }

  function paintCells(share) {
    const { x, y, size } = grid;
    const written = layout.text && size >= 27; // a sign, a point and a digit fit

    const texts = keepNodes(words, "text", written ? rows * columns : 0, { "text-anchor": "middle" });
    const nodes = cells.childNodes;
    for (let place = 0; place < nodes.length; place++) {
      const value = values[place];
      const rgb = Number.isFinite(value) ? mapColor(stops, share(value)) : null;
      nodes[place].setAttribute("fill", rgb ? `rgb(${rgb})` : "none");
      if (!written) continue;
      const [row, column] = [Math.floor(place / columns), place % columns];
      setAll(texts[place], {
        x: x + (column + 0.5) * size,
        y: y + (row + 0.5) * size + 3.5,
        style: `fill:${rgb ? inkOn(rgb) : "none"};font-size:${size < 38 ? 9.5 : 11}px`,
      });
      texts[place].textContent = cellText(value, size);
    }
  }

  function paintImage(share) {
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(columns, rows);
    values.forEach((value, place) => {
      const finite = Number.isFinite(value);
      pixels.data.set([...(finite ? mapColor(stops, share(value)) : [0, 0, 0]), finite ? 255 : 0], 4 * place);
    });
    context.putImageData(pixels, 0, 0);
    image.setAttribute("href", canvas.toDataURL());
  }

  return {
    frame,
    paint,
    count: () => rows * columns,
    nearest(x, y) {
      const column = Math.floor((x - grid.x) / grid.size);
      const row = Math.floor((y - grid.y) / grid.size);
      return column >= 0 && row >= 0 && column < columns && row < rows ? row * columns + column : -1;
    },
    at(index) {
      const [row, column] = [Math.floor(index / columns), index % columns];
      const name = (labels, place) => (labels ? labels[place] : String(place + 1));
      const middle = (place) => (place + 0.5) * grid.size;
      const head = `${name(layout.rows, row)}, ${name(layout.columns, column)}`;
      return {
        x: grid.x + middle(column),
        y: grid.y + middle(row),
        head,
        rows: [{ text: numberText(values[index]) }],
        cell: [row, column],
      };
    },
    mark(reading) {
      setAll(cursor, { visibility: reading ? "visible" : "hidden" });
      if (!reading) return;
      const [row, column] = reading.cell;
      setAll(cursor, {
        x: grid.x + column * grid.size - 0.5,
        y: grid.y + row * grid.size - 0.5,
        width: grid.size,
        height: grid.size,
      });
    },
  };
}

function cellText(value, size) {
  if (!Number.isFinite(value)) return "";
  const digits = size >= 38 ? 2 : 1;
  const plain = Math.abs(value) < 100 ? value.toFixed(digits) : numberText(value, 2);
  return plain
    .replace(/^-(0(\.0+)?)$/, "$1")
    .replace(/^(-?)0\./, size >= 38 ? "$10." : "$1.")
    .replace("-", "−");
}
