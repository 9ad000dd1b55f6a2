// A campaign that people carry out by plans: what is open, a form for what was measured, and the plan as a file.

import {act} from "../actions.js";
import {ask, say} from "../dialog.js";
import {h} from "../dom.js";
import {plural, settled} from "../format.js";
import {get, post, Problem, send} from "../http.js";
import {complain, fieldsOf, filledIn, noteOf} from "./fields.js";
import {allowed} from "./frame.js";
import {empty, experimentLink, section, values} from "./pieces.js";

/** Whether people carry a campaign out by plans now (`domain/by_hand.py`). */
export function isByHand(told) {
  return told.status === "paused" && told.reason.startsWith("carried out by hand");
}

/** What people are to do; nothing where it is not they who carry the campaign out now. */
export async function plan(told) {
  if (!isByHand(told)) return null;
  const path = `/campaigns/${encodeURIComponent(told.place)}`;
  const {experiments, fields, left_in_budget: left} = await get(`${path}/plan`);
  const {parameters} = told.definition.problem;
  const off = allowed("operate");
  const open = experiments.length > 0;
  const save = (format, text) => h("button", {type: "button", "data-act": "save-plan", "data-path": path, "data-format": format, "data-name": told.name, "data-key": `save-${format}`}, text);
  return section(
    "Plan",
    h("p", open ? `${plural(experiments.length, "experiment")} asked for and not told yet; ${left} more fit into the budget.` : `Nothing is open; ${left} more fit into the budget.`),
    h("div.buttons",
      left > 0 && h("button.primary", {type: "button", "data-act": "ask-plan", "data-path": path, "data-left": left, "data-key": "ask", ...off}, "Ask for more…"),
      open && [save("csv", "Save as CSV"), save("xlsx", "Save as spreadsheet"), save("html", "Save to print"),
        h("button", {type: "button", "data-act": "send-plan", "data-path": path, "data-key": "send", ...off}, "Send it back filled in…")]),
    open ? h("ul.cards.broad", experiments.map((row) => card(row, told, path, fields, units(parameters), off))) : empty("Ask for the next experiments; carry them out; tell what was measured here."),
  );
}

function card(row, told, path, fields, of, off) {
  const key = `plan-${row.experiment}`;
  const asked = Object.fromEntries(Object.entries(fields).filter(([, field]) => field.kind !== "file"));
  return h("li.card", {"data-key": key},
    h("h3", experimentLink(told.place, row.experiment)),
    values(settled(row.parameters, told.definition.problem.parameters), of),
    h("form.task", {"data-submit": "tell-result", "data-path": path, "data-experiment": row.experiment, novalidate: true, "aria-label": `Result of experiment ${row.experiment}`},
      fieldsOf(key, asked), noteOf(key), h("div.message.problem", {role: "alert", "data-keep": "message"}),
      h("div.buttons", h("button.primary", {type: "submit", ...off}, "Tell"),
        h("button", {type: "button", "data-act": "fail-result", "data-path": path, "data-experiment": row.experiment, ...off}, "It failed…"))));
}

function units(specs) {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, spec.unit]));
}

async function tell(path, result) {
  await post(`${path}/tell`, {results: [result]}, {patience: 330000});
  say(`Experiment ${result.experiment} is told`);
  document.dispatchEvent(new CustomEvent("changed"));
}

act("tell-result", async (form) => {
  const button = form.querySelector("[type=submit]");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  form.querySelector(".message").replaceChildren();
  try {
    await tell(form.dataset.path, {experiment: Number(form.dataset.experiment), values: filledIn(form), notes: form.elements["note:"].value});
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    complain(form, problem.message.split("\n").map((line) => line.replace(/^results:\d+: column /, "")));
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

act("fail-result", ({dataset}) => ask({
  title: `Experiment ${dataset.experiment} failed`, confirm: "Say so", body: [h("p", "It counts as spent, and the model learns to keep away from there.")],
  fields: [h("label", {for: "reason"}, "Why"), h("input", {id: "reason", name: "reason", required: true, maxlength: "2000", autocomplete: "off"})],
  async does({reason}) {
    await tell(dataset.path, {experiment: Number(dataset.experiment), failed: reason});
    return null;
  },
}));

act("ask-plan", ({dataset}) => ask({
  title: "Ask for more experiments", confirm: "Ask", body: [h("p", "They are booked, and count as under way until they are told. The model takes some seconds.")],
  fields: [h("label", {for: "n"}, `How many, up to ${Math.min(100, Number(dataset.left))}`), h("input", {id: "n", name: "n", type: "number", min: "1", max: String(Math.min(100, Number(dataset.left))), value: "1", required: true})],
  async does({n}) {
    await post(`${dataset.path}/ask`, {n: Number(n)}, {patience: 330000});
    document.dispatchEvent(new CustomEvent("changed"));
    return null;
  },
}));

act("send-plan", ({dataset}) => ask({
  title: "Send the plan back", confirm: "Send", body: [h("p", "Every cell is checked first, and nothing is taken where one is wrong. Rows without a result stay open.")],
  fields: [h("label", {for: "file"}, "The plan as it was filled in, CSV or XLSX"), h("input", {id: "file", name: "file", type: "file", accept: ".csv,.xlsx", required: true})],
  async does({file}) {
    const answer = await send("POST", `${dataset.path}/plan?name=${encodeURIComponent(file.name)}`,
      {body: file, patience: 330000, headers: {"Content-Type": "application/octet-stream"}});
    const taken = await answer.json();
    document.dispatchEvent(new CustomEvent("changed"));
    return h("p", `${taken.completed.length} completed, ${taken.failed.length} failed, ${taken.unchanged.length} known already, ${taken.still_open.length} still open.`);
  },
}));

// By hand, not by a link: an address would need the token in it.
act("save-plan", async (button) => {
  const {path, format, name} = button.dataset;
  try {
    const answer = await send("GET", `${path}/plan?format=${format}`);
    const address = URL.createObjectURL(await answer.blob());
    h("a", {href: address, download: `plan-of-${name}.${format}`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  } catch (problem) {
    button.after(h("p.problem", {role: "alert"}, problem.message));
  }
});
