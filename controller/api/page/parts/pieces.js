// Small things that many views show in the same way.

import {h} from "../dom.js";
import {duration, moment, number, quantity, settled, unit, words} from "../format.js";
import {address} from "../router.js";

/** The name of a status or state, with its colour and its sign: never the colour alone. */
export function badge(status) {
  return h(`span.badge.is-${String(status).replaceAll(" ", "-")}`, status);
}

/** Says that the data are simulated; `twins`: by which instruments, where others are real. */
export function simulated(is, twins = []) {
  return is ? h("span.badge.simulated", "simulated data", twins.length > 0 && `: ${twins.join(", ")}`) : null;
}

/** The head of a view: what it is, and what can be done. */
export function head(title, {marks = [], tools = [], under = null} = {}) {
  return h("div.head", h("div.head-line", h("h1", {tabindex: "-1"}, title), marks, tools.length ? h("div.head-tools", tools) : null), under);
}

/** The head of every view of a campaign, with the way to the others. */
export function campaignHead(campaign, view, {tools = [], under = null} = {}) {
  const name = campaign.name ?? campaign.campaign;
  const tabs = [["campaign", "Overview", []], ["experiments", "Experiments", ["experiments"]], ["figures", "Figures", ["figures"]],
    ["timeline", "Timeline", ["timeline"]], ["log", "Log", ["log"]]];
  return [
    h("p.crumb", h("a", {href: "#/"}, "Campaigns"), " / "),
    head(name, {marks: [badge(campaign.status), simulated(campaign.simulated, campaign.definition?.lab.twins)], tools, under}),
    h("nav.tabs", {"aria-label": `Campaign ${name}`}, tabs.map(([of, text, path]) => h(
      "a", {href: address(["campaigns", campaign.place ?? name, ...path]), "aria-current": of === view ? "page" : null}, text))),
  ];
}

/** A part of a view under a heading of its own. */
export function section(title, ...content) {
  return h("section.card", {"aria-label": title, "data-key": `section-${title}`}, h("h2", title), content);
}

export function empty(...text) {
  return h("p.empty", text);
}

/** A table that scrolls within its own place; `columns`: {title, cell(row), number, wide}. */
export function table(caption, columns, rows, {key = null, none = "There is nothing yet."} = {}) {
  if (!rows.length) return empty(none);
  return h(
    "div.scroll", {tabindex: "0", role: "region", "aria-label": caption},
    h(
      "table", h("caption.quiet", caption),
      h("thead", h("tr", columns.map((c) => h("th", {scope: "col", class: c.number ? "number" : "", "aria-sort": c.sorted ?? null}, c.title)))),
      h("tbody", rows.map((row) => h(
        "tr", {"data-key": key ? String(key(row)) : null},
        columns.map((c, i) => h(i === 0 ? "th" : "td", {scope: i === 0 ? "row" : null, class: c.number ? "number" : ""}, c.cell(row))),
      ))),
    ),
  );
}

/** How many experiments stand where, against the budget. */
export function progress(campaign) {
  const {counts, budget_experiments: budget} = campaign;
  const finished = counts.completed + counts.failed + counts.abandoned + counts.unknown;
  const shown = [["completed", "completed"], ["failed", "failed"], ["abandoned", "abandoned"], ["unknown", "unknown"], ["running", "running"],
    ["queued", "queued"]].filter(([status]) => counts[status]);
  return h(
    "div.progress",
    h("div.progress-text", h("strong", `${finished} of ${budget}`), " experiments done"),
    h("div.progress-bar", {role: "img", "aria-label": `${finished} of ${budget} done: ${shown.map(([s]) => `${counts[s]} ${s}`).join(", ") || "none yet"}`},
      shown.filter(([s]) => s !== "queued").map(([status]) => h(`span.part.is-${status}`,
        {style: {width: `${(100 * counts[status]) / Math.max(budget, 1)}%`}}))),
    h("p.progress-counts", shown.map(([status, text]) => h("span", badge(text), ` ${counts[status]}`))),
  );
}

/** Values by name with their units, as a list of terms. */
export function values(of, units = {}) {
  return h("dl.values", Object.entries(of).map(([name, value]) => h("div", h("dt", words(name)), h("dd", quantity(value, units[name])))));
}

/** A short text of a setting, for tables: `60 °C · Pd`. */
export function point(parameters, specs = {}) {
  return Object.entries(settled(parameters, specs)).map(([name, value]) => `${words(name)} ${quantity(value, specs[name]?.unit)}`).join(" · ");
}

export function measured(value, sem, of) {
  if (value === null || value === undefined) return "–";
  return sem ? `${number(value)} ± ${number(sem)} ${unit(of)}`.trim() : quantity(value, of);
}

export function when(at) {
  return at ? h("time", {datetime: typeof at === "number" ? new Date(at * 1000).toISOString() : at}, moment(at)) : "–";
}

export function since(at, after = " ago") {
  return h("time", {"data-since": at, "data-after": after, "data-keep": String(at)}, duration(0));
}

export function experimentLink(campaign, n, text = `Experiment ${n}`) {
  return h("a", {href: address(["campaigns", campaign, "experiments", String(n)])}, text);
}
