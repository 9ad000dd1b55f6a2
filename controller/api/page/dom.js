// Makes elements. Text is always text: nothing that comes from a store is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element: `h("p.note", {title: "…"}, "text", child, [more])`; null, undefined and false children are left out. */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.join(" ");
  if (rest.length && isAttributes(rest[0])) {
    for (const [key, value] of Object.entries(rest.shift())) set(node, key, value);
  }
  append(node, rest);
  return node;
}

function isAttributes(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Node);
}

function set(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === "class") node.className = `${node.className} ${value}`.trim();
  else if (key === "style") for (const [name, each] of Object.entries(value)) node.style.setProperty(name, each);
  else node.setAttribute(key, value === true ? "" : value);
}

function append(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(node, child);
    else node.append(child instanceof Node ? child : String(child));
  }
}

/** Return an icon: paths on a grid of 24, drawn as lines; hidden from screen readers. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false"})) {
    svg.setAttribute(key, value);
  }
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
