// The sliders. A slider's position counts grid values: 2 is the third value, 2.5 lies between the third and the fourth
// (only with a live kernel).

const FINE = 0.1; // a step between two grid values, with a live kernel

function makeControls(parameters, start, parent, head, live, onChange) {
  const root = htmlNode("div", { class: "ibx-controls" }, parent);
  const still = typeof matchMedia === "function" && matchMedia("(prefers-reduced-motion: reduce)").matches;
  const sliders = parameters.map((parameter, place) => makeSlider(parameter, start[place], root, live, changed));
  const reset = htmlNode("button", { type: "button", class: "ibx-button ibx-reset" }, head, "Reset");
  reset.addEventListener("click", () => {
    stop();
    sliders.forEach((slider, place) => slider.set(start[place]));
    onChange();
  });
  let playing = null;

  function changed() {
    stop();
    onChange();
  }

  function stop() {
    if (!playing) return;
    clearInterval(playing.timer);
    playing.slider.setPlaying(false);
    playing = null;
  }

  function play(slider) {
    const same = playing && playing.slider === slider;
    stop();
    if (same) return;
    const last = slider.parameter.texts.length - 1;
    if (slider.position() >= last) slider.set(0);
    else slider.set(Math.floor(slider.position()) + 1);
    onChange();
    const pause = Math.min(700, Math.max(110, 5000 / (last + 1)));
    const timer = setInterval(() => {
      if (!root.isConnected || slider.position() >= last) return stop();
      slider.set(slider.position() + 1);
      onChange();
    }, pause);
    playing = { timer, slider };
    slider.setPlaying(true);
  }

  for (const slider of sliders) {
    // Whoever asked for less motion steps by hand.
    if (still || slider.parameter.texts.length < 2) slider.playButton.remove();
    else slider.playButton.addEventListener("click", () => play(slider));
  }
  return { root, sliders, stop, reset };
}

function makeSlider(parameter, first, parent, live, changed) {
  const last = parameter.texts.length - 1;
  const between = live && parameter.kind !== "category" && last > 0;
  const root = htmlNode("div", { class: "ibx-control" }, parent);
  const id = freshId("slider");
  htmlNode("label", { for: id }, root, parameter.label);
  const output = htmlNode("output", { for: id }, root);
  htmlNode("span", { class: "ibx-break" }, root);
  const input = htmlNode(
    "input",
    { type: "range", id, "data-name": parameter.name, min: 0, max: last, step: between ? FINE : 1 },
    root,
  );
  const playButton = htmlNode("button", { type: "button", class: "ibx-button ibx-play" }, root);
  svgNode(
    "path",
    {},
    svgNode("svg", { viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" }, playButton),
  );
  if (last === 0) input.disabled = true;

  const position = () => Number(input.value);

  function text() {
    const at = place();
    return "index" in at
      ? parameter.texts[at.index]
      : numberText(at.value) + (parameter.unit ? ` ${parameter.unit}` : "");
  }

  // {index} on the grid, {value} between two of its values.
  function place() {
    const left = Math.floor(position() + 1e-9);
    const share = position() - left;
    if (share < FINE / 2 || left >= last) return { index: Math.min(left, last) };
    if (share > 1 - FINE / 2) return { index: left + 1 };
    const [a, b] = [parameter.values[left], parameter.values[left + 1]];
    let value = parameter.kind === "log" ? a * (b / a) ** share : a + (b - a) * share;
    if (parameter.whole) value = Math.round(value);
    else value = Number(value.toPrecision(4));
    const known = parameter.values.indexOf(value);
    return known >= 0 ? { index: known } : { value };
  }

  // The author's own words for a value between two of the grid's come with the kernel's answer.
  function say(words) {
    if (!words || output.textContent === words) return;
    output.textContent = words;
    input.setAttribute("aria-valuetext", words);
  }

  function refresh() {
    say(text());
    input.style.setProperty("--share", last ? position() / last : 0);
  }

  function setPlaying(on) {
    playButton.setAttribute("aria-label", `${on ? "Stop" : "Play"} ${parameter.label}`);
    playButton.title = on ? "Stop" : "Play";
    playButton.querySelector("path").setAttribute("d", on ? "M2,1h3v10h-3ZM7,1h3v10h-3Z" : "M2.5,1L11,6L2.5,11Z");
  }

  input.addEventListener("input", () => {
    refresh();
    changed();
  });
  input.value = first;
  refresh();
  setPlaying(false);
  const set = (value) => {
    input.value = value;
    refresh();
  };
  return { parameter, playButton, position, place, say, set, setPlaying };
}
