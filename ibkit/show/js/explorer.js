// The explorer: its state, the redraw, and its two ways into a document.

function addStyle(root) {
  const home = root.getRootNode();
  const holder = home instanceof ShadowRoot ? home : document.head;
  if (holder.querySelector("style[data-ibkit-explorer]")) return;
  const palette = (colors) => colors.map((color, place) => `--ibx-${place}:${color};`).join("");
  const rules = STYLE.replace("/*light*/", palette(THEME.light)).replaceAll("/*dark*/", palette(THEME.dark));
  htmlNode("style", { "data-ibkit-explorer": "" }, holder, rules);
}

// Draws a payload into `root`. `ask(values)`, where there is a kernel, promises a frame off the grid.
function mount(root, payload, ask) {
  addStyle(root);
  const panels = preparePanels(payload.panels);
  const arrays = decodeArrays(payload.data, payload.lengths);
  const frames = payload.frames.map((packed) => readFrame(packed, panels, arrays, payload.texts));
  const sizes = payload.parameters.map((parameter) => parameter.texts.length);
  const hidden = new Set();
  const live = Boolean(ask && payload.live);

  const look = {
    color: (name) => `--c:var(--ibx-${payload.colors[name]})`,
    dash(layout, name) {
      const dash = THEME.dashes[layout.names.indexOf(name) % THEME.dashes.length];
      return layout.names.length > 1 && dash.length ? dash.join(" ") : null;
    },
    isHidden: (name) => hidden.has(name),
    toggle(name) {
      if (!hidden.delete(name)) hidden.add(name);
      views.forEach((view) => view.refresh());
      draw();
    },
  };

  // The keys that move a slider or read a plot must not also move through a notebook or turn the book's pages.
  const body = htmlNode("div", { class: "ibx-body", "data-lm-suppress-shortcuts": "true" });
  body.addEventListener("keydown", (event) => event.stopPropagation());
  const head = htmlNode("div", { class: "ibx-head" }, body);
  if (payload.title) htmlNode("div", { class: "ibx-name" }, head, payload.title);
  const controls = makeControls(payload.parameters, payload.start, body, head, live, schedule);
  const status = htmlNode("p", { class: "ibx-status", role: "status" }, body);
  const grid = htmlNode("div", { class: "ibx-grid-of-panels" }, body);
  const views = panels.map((layout) => makePanel(layout, grid, look));
  controls.reset.addEventListener("click", () => views.forEach((view) => view.reset()));
  root.querySelector(".ibx-picture")?.classList.add("ibx-print");
  root.appendChild(body);
  root.dataset.mounted = "";

  let shown = null;
  let wanted = false;
  let width = 0;
  const offGrid = makeOffGrid(ask, panels, status, () => schedule());

  function schedule() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      draw();
    });
  }

  function current() {
    const places = controls.sliders.map((slider) => slider.place());
    if (places.some((place) => "value" in place)) {
      const found = offGrid.get(
        Object.fromEntries(controls.sliders.map((slider, i) => [slider.parameter.name, places[i]])),
      );
      if (found) controls.sliders.forEach((slider) => slider.say(found.words[slider.parameter.name]));
      return found && found.frame;
    }
    offGrid.settle();
    return frames[places.reduce((number, { index }, i) => number * sizes[i] + index, 0)];
  }

  function draw() {
    shown = current() || shown || frames[0];
    if (width <= 0) return;
    const height = Math.round(Math.min(330, Math.max(210, width * (views.length === 1 ? 0.52 : 0.74))));
    shown.forEach((data, place) => views[place].show(data, width, height));
  }

  function measure() {
    const wide = Math.floor(views[0].stage.clientWidth);
    if (wide === width) return;
    width = wide;
    draw();
  }

  const observer = new ResizeObserver(measure);
  observer.observe(grid);
  measure();
  root.ibkitDraw = draw;
  return () => {
    controls.stop();
    observer.disconnect();
  };
}

// Frames between the grid's values: asked one at a time (the latest wish wins), kept once they came.
function makeOffGrid(ask, panels, status, onFrame) {
  const kept = new Map();
  let busy = false;
  let wish = null;

  function tell(text, kind) {
    status.textContent = text;
    status.dataset.kind = kind;
  }

  async function next() {
    if (busy || !wish) return;
    const { key, values } = wish;
    wish = null;
    busy = true;
    tell("Computing …", "busy");
    try {
      const answer = await ask(values);
      const frame = readFrame(answer.frame, panels, decodeArrays(answer.data, answer.lengths), answer.texts);
      kept.set(key, { frame, words: answer.words || {} });
      tell("", "");
    } catch (error) {
      kept.set(key, null);
      tell(error.message, "error");
    }
    busy = false;
    onFrame();
    next();
  }

  return {
    get(values) {
      const key = JSON.stringify(values);
      if (kept.has(key)) return kept.get(key);
      wish = { key, values };
      next();
      return null;
    },
    settle() {
      wish = null;
      if (!busy) tell("", "");
    },
  };
}

// On a page: every explorer that is not mounted yet, from its own data.
function mountPage(home) {
  const mountAll = () => {
    for (const root of home.querySelectorAll(".ibkit-explorer:not([data-mounted])")) {
      try {
        mount(root, JSON.parse(root.querySelector('script[type="application/json"]').textContent), null);
      } catch (error) {
        console.error("ibkit explorer:", error); // the picture stays
      }
    }
  };
  if (home.readyState === "loading") home.addEventListener("DOMContentLoaded", mountAll);
  else mountAll();
}

// In Jupyter: ask the kernel for the data, and for what lies between the grid's values.
function render({ model, el }) {
  const root = htmlNode("div", { class: "ibkit-explorer", role: "group" }, el);
  const waiting = htmlNode("p", { class: "ibx-status" }, root, "Waiting for the kernel: run the cell to explore.");
  const asked = new Map();
  let unmount = null;
  let count = 0;

  function ask(values) {
    return new Promise((resolve, reject) => {
      const id = `${Date.now()}-${(count += 1)}`;
      asked.set(id, { resolve, reject });
      model.send({ kind: "compute", id, values });
    });
  }

  function hear(message) {
    if (message.kind === "payload" && !unmount) {
      waiting.remove();
      root.setAttribute("aria-label", message.payload.title || message.payload.alt);
      unmount = mount(root, message.payload, ask);
    }
    const waitingFor = asked.get(message.id);
    if (!waitingFor) return;
    asked.delete(message.id);
    if (message.kind === "computed") waitingFor.resolve(message);
    else waitingFor.reject(new Error(message.error));
  }

  model.on("msg:custom", hear);
  model.send({ kind: "ready" });
  return () => {
    model.off("msg:custom", hear);
    if (unmount) unmount();
  };
}
