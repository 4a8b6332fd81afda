// Scales, ticks and numbers in words.

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function powerOfTen(exponent) {
  return "10" + String(exponent).replace(/./g, (letter) => SUPERSCRIPTS[letter]);
}

function numberText(value, digits = 4) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(Math.min(digits - 1, 2)).split("e");
    const short = String(Number(mantissa)).replace("-", "−");
    return short === "1" ? powerOfTen(Number(exponent)) : `${short}×${powerOfTen(Number(exponent))}`;
  }
  return String(Number(value.toPrecision(size >= 1e4 ? 5 : digits))).replace("-", "−");
}

// From values in [low, high] to pixels in [from, to].
function makeScale(kind, low, high, from, to) {
  if (kind === "log") {
    const start = Math.log10(low);
    const factor = (to - from) / (Math.log10(high) - start);
    const scale = (value) => (value > 0 ? from + (Math.log10(value) - start) * factor : NaN);
    return Object.assign(scale, {
      kind,
      low,
      high,
      from,
      to,
      invert: (pixel) => 10 ** (start + (pixel - from) / factor),
    });
  }
  const factor = (to - from) / (high - low);
  const scale = (value) => from + (value - low) * factor;
  return Object.assign(scale, { kind, low, high, from, to, invert: (pixel) => low + (pixel - from) / factor });
}

// Ticks as {value, text, minor}; about one major tick every `spacing` pixels.
function makeTicks(scale, spacing) {
  const room = Math.max(2, Math.floor(Math.abs(scale.to - scale.from) / spacing));
  return scale.kind === "log" ? logTicks(scale, room) : linearTicks(scale, room);
}

function linearTicks({ low, high }, room) {
  const rough = (high - low) / room;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const ticks = [];
  // As many decimals as the step needs, so that the numbers of one axis look alike.
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let n = Math.ceil(low / step - 1e-9); n <= high / step + 1e-9; n++) {
    const value = n * step;
    const plain = Math.abs(value) < 1e5 && decimals <= 4;
    const text = plain
      ? value
          .toFixed(decimals)
          .replace(/^-(0\.?0*)$/, "$1")
          .replace("-", "−")
      : numberText(value, 3);
    ticks.push({ value, text: n === 0 ? "0" : text });
  }
  return ticks;
}

function logTicks({ low, high }, room) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const decades = last - first + 1;
  const ticks = [];
  if (decades >= 3 || (decades === 2 && room <= 3)) {
    const stride = Math.max(1, Math.ceil(decades / room));
    for (let n = first; n <= last; n++) {
      const major = ((n % stride) + stride) % stride === 0;
      ticks.push({ value: 10 ** n, text: major ? powerText(n, first, last) : "", minor: !major });
    }
    if (stride === 1) addMinor(ticks, low, high, [2, 3, 4, 5, 6, 7, 8, 9]);
    return ticks;
  }
  // Less than two decades: label 1, 2, 5 of each, or evenly spaced values when even those are too few.
  for (let n = first - 1; n <= last; n++) {
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** n;
      if (value >= low * 0.999999 && value <= high * 1.000001) ticks.push({ value, text: numberText(value) });
    }
  }
  if (ticks.length < 2) return linearTicks({ low, high }, Math.min(room, 4));
  addMinor(ticks, low, high, [3, 4, 6, 7, 8, 9]);
  return ticks;
}

// Small powers are read more easily written out, when the whole axis can be.
function powerText(exponent, first, last) {
  return first >= -2 && last <= 3 ? numberText(10 ** exponent) : exponent === 0 ? "1" : powerOfTen(exponent);
}

function addMinor(ticks, low, high, factors) {
  for (let n = Math.floor(Math.log10(low)); n <= Math.log10(high); n++) {
    for (const factor of factors) {
      const value = factor * 10 ** n;
      if (value > low && value < high) ticks.push({ value, text: "", minor: true });
    }
  }
}

// A colour of a map given by its stops; `share` in [0, 1].
function mapColor(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const left = Math.min(Math.floor(place), stops.length - 2);
  return stops[left].map((from, channel) => Math.round(from + (stops[left + 1][channel] - from) * (place - left)));
}

const MAPS = { diverging: THEME.diverging.map(channels), sequential: THEME.sequential.map(channels) };

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Near-black or white, whichever stands out more from a ground.
function inkOn(rgb) {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) ** 2 > 0.063 * 1.05 ? "#1f2933" : "#ffffff";
}
