// Reading the payload: float32 arrays from base64, and one grid point ("frame") from its array numbers.

function decodeArrays(block, lengths) {
  const bytes = Uint8Array.from(atob(block), (letter) => letter.charCodeAt(0));
  const floats = new Float32Array(bytes.buffer);
  let offset = 0;
  return lengths.map((length) => {
    offset += length;
    return floats.subarray(offset - length, offset);
  });
}

// A frame's panels, each with its texts and `get(key)`: the array of a key, or null where it is absent.
function readFrame(packed, panels, arrays, texts) {
  return packed.map(([title, note, numbers, words], place) => {
    const keys = panels[place].keyPlaces;
    return {
      title: texts[title],
      note: texts[note],
      words: (name) => ((words && words[name]) || []).map((number) => texts[number]),
      get(key) {
        const number = key in keys ? numbers[keys[key]] : -1;
        return number < 0 ? null : arrays[number];
      },
    };
  });
}

function preparePanels(panels) {
  for (const panel of panels) {
    panel.keyPlaces = Object.create(null);
    panel.keys.forEach((key, place) => (panel.keyPlaces[key] = place));
  }
  return panels;
}
