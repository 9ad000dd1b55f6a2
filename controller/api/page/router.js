// Addresses behind `#`: which view, of what, and how it is filtered.

const VIEWS = [
  [/^\/$/, "campaigns", []],
  [/^\/campaigns\/([^/]+)$/, "campaign", ["campaign"]],
  [/^\/campaigns\/([^/]+)\/experiments$/, "experiments", ["campaign"]],
  [/^\/campaigns\/([^/]+)\/experiments\/([^/]+)$/, "experiment", ["campaign", "number"]],
  [/^\/campaigns\/([^/]+)\/figures$/, "figures", ["campaign"]],
  [/^\/campaigns\/([^/]+)\/timeline$/, "timeline", ["campaign"]],
  [/^\/campaigns\/([^/]+)\/log$/, "log", ["campaign"]],
  [/^\/instruments$/, "instruments", []],
  [/^\/tasks$/, "tasks", []],
  [/^\/requests$/, "requests", []],
];

/** The view that the address names: {view, campaign, number, query}. */
export function place(hash = location.hash) {
  const [path, search = ""] = (hash.replace(/^#/, "") || "/").split("?");
  const query = Object.fromEntries(new URLSearchParams(search));
  for (const [form, view, names] of VIEWS) {
    const found = form.exec(path);
    if (found) return {view, query, path, ...Object.fromEntries(names.map((name, i) => [name, decode(found[i + 1])]))};
  }
  return {view: "nowhere", query, path};
}

function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** The address of a view: `address(["campaigns", name], {page: 2})`. */
export function address(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

/** The address of what is shown now, filtered otherwise. */
export function filtered(changes) {
  const {path, query} = place();
  return address(path.split("/").filter(Boolean).map(decode), {...query, ...changes});
}
