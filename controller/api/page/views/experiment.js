// One experiment: why it was proposed, what was done and measured, what went wrong, and what can be done about it.

import {act} from "../actions.js";
import {h} from "../dom.js";
import {bytes, duration, number, plural, quantity, seconds, sentence, settled, unit, words} from "../format.js";
import {get, send} from "../http.js";
import {badge, empty, experimentLink, head, measured, section, simulated, table, values, when} from "../parts/pieces.js";
import {settlingButtons} from "../parts/steering.js";
import {address, place as here} from "../router.js";
import {trouble} from "../view.js";
import {concernsCampaign, loadCampaign, units} from "./campaign.js";

const explained = new Map();
const MOST_IN_PAGE = 200e6;

act("why", async (button) => {
  const {campaign, number: n} = here();
  const key = `${campaign} ${n}`;
  button.setAttribute("aria-disabled", "true");
  button.textContent = "The model is asked; this takes some seconds…";
  try {
    explained.set(key, await get(`/campaigns/${encodeURIComponent(campaign)}/experiments/${encodeURIComponent(n)}/why`));
  } catch (problem) {
    explained.set(key, problem);
  }
  document.dispatchEvent(new CustomEvent("changed"));
});

// By hand, not by a link: an address would need the token in it.
act("raw-file", async (button) => {
  const {campaign, number: n} = here();
  const {sha256, name} = button.dataset;
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await send("GET", `/campaigns/${encodeURIComponent(campaign)}/experiments/${encodeURIComponent(n)}/files/${sha256}`, {patience: 600000});
    const address = URL.createObjectURL(await answer.blob());
    h("a", {href: address, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  } catch (problem) {
    button.after(h("p.problem", {role: "alert"}, problem.message));
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

export const experiment = {
  concerns: concernsCampaign,

  async draw(place) {
    const path = `/campaigns/${encodeURIComponent(place.campaign)}`;
    const [told, one] = await Promise.all([loadCampaign(place.campaign), get(`${path}/experiments/${encodeURIComponent(place.number)}`)]);
    const {objectives, parameters} = told.definition.problem;
    const n = one.number, last = Object.values(told.counts).reduce((a, b) => a + b, 0);
    return {
      title: `Experiment ${n} of ${told.name}`,
      content: [
        h("p.crumb", h("a", {href: "#/"}, "Campaigns"), " / ", h("a", {href: address(["campaigns", place.campaign])}, told.name), " / ",
          h("a", {href: address(["campaigns", place.campaign, "experiments"])}, "Experiments"), " /"),
        head(`Experiment ${n}`, {marks: [badge(one.status), one.retracted_at && badge("retracted"), simulated(one.simulated, told.definition.lab.twins)],
          tools: settlingButtons(told, one),
          under: h("nav.steps", {"aria-label": "Experiments"}, n > 1 && experimentLink(place.campaign, n - 1, `‹ ${n - 1}`),
            n < last && experimentLink(place.campaign, n + 1, `${n + 1} ›`))}),
        wrong(one),
        h("div.columns",
          section("Setting", values(settled(one.parameters, parameters), units(parameters)), one.context && Object.keys(one.context).length > 0 && [h("h3", "Given then"), values(one.context)]),
          section("Result", result(one, objectives))),
        section("Why this point", reasons(one, objectives, `${place.campaign} ${place.number}`)),
        section("What was done", steps(one, told.definition.lab.twins ?? [])),
        one.files.length > 0 && section("Raw files", rawFiles(one)),
        section("What happened", h("ol.log", one.events.map((event) => h("li", {"data-key": String(event.sequence)}, h("span.log-when", when(event.at)), h("span.log-what.wide", event.text))))),
        h("p.under", "Proposed ", when(one.proposed_at), ", begun ", when(one.started_at), ", ended ", when(one.completed_at), one.simulated && " (lab time)", "."),
      ],
    };
  },
};

function wrong(one) {
  const {trouble: told} = one;
  if (!told && !one.retracted_at) return null;
  return [
    one.retracted_at && h(
      "section.card.waits", {"aria-label": "Retracted", "data-key": "retracted"}, h("h2", "Its result is retracted"), h("p", sentence(one.retracted_reason), "."),
      one.rested_on?.length > 0 && h("p", `The proposals of experiments ${one.rested_on.join(", ")} rested on it.`)),
    told && h(
      "section.card.alarms", {"aria-label": "What went wrong", "data-key": "wrong"}, h("h2", "What went wrong"),
      told.what.map((line) => h("p", line)),
      one.status === "unknown" && h("p", "Nothing is repeated by itself that could use something up: look at the bench, then say what became of it."),
      told.next.length > 0 && h("details", {"data-key": "next"}, h("summary", "What can be done, in a terminal"), h("ul.plain", told.next.map((n) => h("li", h("code", n.command), ` ${n.what}`)))),
      told.logs.length > 0 && h("details", {"data-key": "logs"}, h("summary", "Where to look further"), h("ul.plain", told.logs.map((file) => h("li", h("code", typeof file === "string" ? file : file.file)))))),
  ];
}

const ENDED = {completed: "It has no value.", failed: "It failed: there is no result.", abandoned: "It was given up: there is no result.",
  cancelled: "It was cancelled: there is no result.", unknown: "Nobody can say what became of it."};

function result(one, objectives) {
  if (!Object.keys(one.objectives).length) return empty(ENDED[one.status] ?? "Nothing has been measured yet.");
  return h("dl.values.large", Object.entries(objectives).filter(([name]) => name in one.objectives).map(([name, spec]) => h(
    "div", h("dt", words(name)), h("dd", measured(one.objectives[name], one.observations[name]?.sem, spec.unit)))));
}

function reasons(one, objectives, key) {
  const {proposal} = one;
  const sources = {model: "The model chose it.", "space-filling": "It spreads the first experiments over the space; no model was asked.",
    "stand-in": "It stands in for a proposal of the model, which was not ready or failed.", user: "A person gave it.", reference: "It is a reference, measured to see drift."};
  const why = explained.get(key);
  const expected = Object.entries(proposal.predictions ?? {});
  const far = Object.entries(proposal.novelty ?? {}).filter(([, found]) => found.flagged).map(([name]) => words(name));
  return [
    h("p", sources[proposal.source] ?? sentence(proposal.source), proposal.source === "model" ? ` It ${words(one.why)}.` : proposal.note && ` ${sentence(proposal.note)}.`),
    expected.length > 0 && table("What the model expected", [
      {title: "Objective", cell: ([name]) => words(name)},
      {title: "Expected", number: true, cell: ([name, p]) => `${number(p.mean)} ${unit(objectives[name]?.unit)}`},
      {title: "In nine of ten cases", number: true, cell: ([name]) => one.expected?.[name] ? one.expected[name].map(number).join(" to ") : ""},
      {title: "Measured", number: true, cell: ([name]) => quantity(one.objectives[name], objectives[name]?.unit)},
    ], expected),
    far.length > 0 && h("p.problem", `The model extrapolates there, for ${far.join(" and ")}: the point lies farther from the data than it has been tested on.`),
    why instanceof Error ? trouble(why) : why ? h("div", {"data-key": "explained"}, h("h3", "The model explains"), h("ul", why.summary.map((line) => h("li", line))))
      : h("p", h("button", {type: "button", "data-act": "why", "data-key": "ask-why"}, "Explain it in detail")),
  ];
}

function steps(one, twins) {
  if (!one.attempts_list.length) return empty("Nothing has been sent to an instrument yet.");
  return one.attempts_list.map((a) => h(
    "details.attempt", {open: true, "data-key": a.id},
    h("summary", h("strong", words(a.step)), ` on ${a.instrument}`, a.ordinal > 1 && `, attempt ${a.ordinal}`, " ", badge(a.status), twins.includes(a.instrument) && simulated(true), h("span.under", taken(a))),
    h("div.attempt-body",
      h("p.under", `Action ${words(a.action)}, sent `, when(a.committed_at), ", begun ", when(a.started_at), ", ended ", when(a.ended_at), a.reason && `; ${a.reason}`, "."),
      Object.keys(a.arguments).length > 0 && [h("h3", "With"), values(a.arguments, a.units)],
      a.fault && h("p.problem", `${words(a.fault.code)}: ${a.fault.message}`),
      a.measurements.length > 0 && [h("h3", plural(a.measurements.length, "measurement")), table(`Measurements of ${a.step}`, [
        {title: "Name", cell: (m) => words(m.name)}, {title: "Value", number: true, cell: (m) => measured(m.value, m.sem, m.unit)}, {title: "At", cell: (m) => when(m.at)},
      ], a.measurements)]),
  ));
}

function rawFiles(one) {
  return table("Raw files", [
    {title: "File", cell: (f) => f.where !== "kept" ? (f.where === "missing" ? badge("missing") : `with ${f.instrument}`)
      : f.size > MOST_IN_PAGE ? h("code", `labwright experiment files ${here().campaign} ${one.number} -o DIR`)
        : h("button", {type: "button", "data-act": "raw-file", "data-sha256": f.sha256, "data-name": f.name, "data-key": `file ${f.step} ${f.name}`, "aria-label": `Save ${f.name}`}, "Save")},
    {title: "Name", cell: (f) => f.name}, {title: "Size", number: true, cell: (f) => bytes(f.size)}, {title: "Step", cell: (f) => words(f.step)},
    {title: "SHA-256", cell: (f) => h("code", {title: f.sha256}, `${f.sha256.slice(0, 12)}…`)},
  ], one.files);
}

function taken(a) {
  const from = seconds(a.started_at), to = seconds(a.ended_at);
  return from !== null && to !== null ? ` took ${duration(to - from)}` : "";
}
