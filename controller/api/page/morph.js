// Makes what stands on the page like what should stand there, changing as little as possible: focus, scroll positions, open
// details and half-filled forms stay. Elements with `data-key` are recognised by it; what is within `data-keep` is left alone.

/** Give `node` the attributes and children of `wanted`. */
export function morph(node, wanted) {
  attributes(node, wanted);
  if (node.dataset?.keep === undefined || node.dataset.keep !== wanted.dataset?.keep) children(node, wanted);
}

function attributes(node, wanted) {
  for (const {name} of [...node.attributes]) {
    if (!wanted.hasAttribute(name) && !(name === "open" && (node.tagName === "DETAILS" || node.tagName === "DIALOG"))) {
      node.removeAttribute(name);
    }
  }
  for (const {name, value} of [...wanted.attributes]) {
    if (name === "style") continue;
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  if (wanted.style?.cssText !== node.style?.cssText) node.style.cssText = wanted.style.cssText;
}

function children(node, wanted) {
  const keyed = new Map();
  for (const child of node.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let here = node.firstChild;
  for (const next of [...wanted.childNodes]) {
    const known = next.dataset?.key ? keyed.get(next.dataset.key) : null;
    if (known && known !== here) {
      node.insertBefore(known, here);
      morph(known, next);
      continue;
    }
    if (here && alike(here, next)) {
      const current = here;
      here = here.nextSibling;
      if (current.nodeType === Node.TEXT_NODE) { if (current.data !== next.data) current.data = next.data; }
      else morph(current, next);
      continue;
    }
    node.insertBefore(next, here);
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

function alike(one, other) {
  if (one.nodeType !== other.nodeType) return false;
  if (one.nodeType === Node.TEXT_NODE) return true;
  return one.tagName === other.tagName && (one.dataset?.key ?? "") === (other.dataset?.key ?? "");
}
