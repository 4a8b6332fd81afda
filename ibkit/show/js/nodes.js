// Making elements: nothing here knows what an explorer is.

const SVG = "http://www.w3.org/2000/svg";

function setAll(node, attributes) {
  for (const name in attributes) {
    if (attributes[name] !== null && attributes[name] !== undefined) node.setAttribute(name, attributes[name]);
  }
  return node;
}

function svgNode(tag, attributes, parent) {
  const node = setAll(document.createElementNS(SVG, tag), attributes);
  if (parent) parent.appendChild(node);
  return node;
}

function htmlNode(tag, attributes, parent, text) {
  const node = setAll(document.createElement(tag), attributes);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.appendChild(node);
  return node;
}

// Keeps as many children as there are items, made once and reused: redrawing must not rebuild.
function keepNodes(parent, tag, count, attributes) {
  while (parent.childNodes.length > count) parent.lastChild.remove();
  while (parent.childNodes.length < count) svgNode(tag, attributes, parent);
  return parent.childNodes;
}

let nodeCount = 0;
function freshId(prefix) {
  nodeCount += 1;
  return `ibx-${prefix}-${nodeCount}`;
}
