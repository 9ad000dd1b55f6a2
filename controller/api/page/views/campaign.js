// One campaign: how far it is, what is best, what runs, whether the model can be trusted, and why the newest points were chosen.

import {chart} from "../charts.js";
import {h} from "../dom.js";
import {number, plural, quantity, sentence, settled, unit, words} from "../format.js";
import {get} from "../http.js";
import {badge, campaignHead, empty, experimentLink, measured, point, progress, section, table, values, when} from "../parts/pieces.js";
import {isByHand, plan} from "../parts/plan.js";
import {running} from "../parts/running.js";
import {steeringButtons} from "../parts/steering.js";
import {address} from "../router.js";

const ids = new Map();

/** Where a campaign stands, as all its views need it, with the name under which it is in the address (`place`). */
export async function loadCampaign(place) {
  const told = {...(await get(`/campaigns/${encodeURIComponent(place)}/overview`)), place};
  ids.set(place, told.id);
  return told;
}

export const concernsCampaign = (news, {campaign}) => news.campaigns.includes(ids.get(campaign));

export const campaign = {
  concerns: concernsCampaign,

  async draw(place) {
    const [told, {figures}] = await Promise.all([loadCampaign(place.campaign), get(`/campaigns/${encodeURIComponent(place.campaign)}/figures`)]);
    const byHand = await plan(told);
    const drawn = ["progress", "front"].filter((kind) => figures.some((figure) => figure.kind === kind));
    return {
      title: told.name,
      content: [
        campaignHead(told, "campaign", {tools: steeringButtons(told), under: told.definition.description && h("p.under", told.definition.description)}),
        h("div.columns", state(told), section("Now", running(told))),
        byHand ?? people(told),
        alarms(told),
        bestSection(told),
        drawn.length > 0 && section("How it goes", h("div.charts.full", drawn.map((kind) => chart(told.place, kind)))),
        h("div.columns", trust(told), section("Newest proposals, and why", proposals(told))),
      ],
    };
  },
};

function state(told) {
  const {controller, progress: far, clock} = told;
  const finished = ["completed", "failed"].includes(told.status);
  return section(
    "Progress", progress(told),
    isByHand(told) ? h("p", "People carry it out by plans; no controller touches it until it is resumed.")
      : told.reason && told.reason !== "begun" && h("p", sentence(told.reason), "."),
    far.ends_at && h("p", "At this pace it ends about ", when(far.ends_at), told.simulated && " (lab time)", "."),
    told.cost !== null && h("p", `Its experiments have cost ${number(told.cost)} so far.`),
    !finished && !isByHand(told) && (controller.at_work
      ? h("p", "A controller is at work on it", controller.doing && `: ${controller.doing}`, ".")
      : h("p.problem", "No controller is at work on it here. It goes on with ", h("code", "labwright daemon start"), ".")),
    told.noted.length > 0 && h("p.under", plural(told.noted.length, "experiment"), " stood in for the model's or are retracted: ",
      told.noted.slice(-5).map((row, i) => [i > 0 && ", ", experimentLink(told.place, row.number ?? row.experiment, String(row.number ?? row.experiment))]), "."),
    h("p.under", "Begun ", when(told.created_at), ", last changed ", when(told.updated_at), told.simulated && " (lab time)", ".",
      clock.speed !== 1 && ` Lab time runs ${number(clock.speed)} times faster than real time.`),
  );
}

function people(told) {
  if (!told.people.length) return null;
  return h(
    "section.card.waits", {"aria-label": "Waits for a person", "data-key": "people"}, h("h2", "Waits for a person"),
    h("ul.plain", told.people.map((entry) => {
      const n = /^experiment (\d+)/.exec(entry.what)?.[1];
      return h("li", sentence(entry.what), ". ", n ? experimentLink(told.place, n, "Look at it") : h("span.under", "In a terminal: ", h("code", entry.do)));
    })),
  );
}

function alarms(told) {
  const {count, newest} = told.alarms;
  if (!count) return null;
  return h(
    "section.card.alarms", {"aria-label": "Alarms", "data-key": "alarms"}, h("h2", plural(count, "alarm")),
    h("ul.plain", newest.toReversed().map((alarm) => h("li", {"data-key": alarm.event}, h("strong", words(alarm.code)), ", ", when(alarm.at), h("br"), alarm.message))),
    count > newest.length && h("p", h("a", {href: address(["campaigns", told.place, "log"], {show: "alarms"})}, "All alarms")),
  );
}

function bestSection(told) {
  const {objectives, parameters} = told.definition.problem;
  const names = Object.keys(objectives);
  const [one] = told.best;
  if (!one) {
    const known = Object.values(objectives).some((o) => ["explore", "level"].includes(o.goal));
    return section("Best so far", empty(known ? "Nothing is optimised here: it is to be known." : "Nothing has been measured yet."));
  }
  if (told.best.length === 1) {
    return section(
      "Best so far", h("p", experimentLink(told.place, one.experiment), one.feasible === false && h("strong.problem", " breaks a constraint on outcomes")),
      h("div.columns",
        h("dl.values.large", names.map((name) => h("div", h("dt", words(name)), h("dd",
          measured(one.objectives[name], one.sem[name], objectives[name].unit), expectation(one.expected[name], objectives[name].unit))))),
        values(settled(one.parameters, parameters), units(parameters))),
    );
  }
  return section(
    `Best so far: ${told.best.length} on the Pareto front`,
    h("p.under", "None of these is surpassed by another in every objective. In grey where the model had expected each: its 90 % interval."),
    table("The Pareto front", [
      {title: "Number", cell: (row) => experimentLink(told.place, row.experiment, String(row.experiment))},
      ...names.map((name) => ({title: [words(name), objectives[name].unit && h("span.unit", ` ${unit(objectives[name].unit)}`)], number: true,
        cell: (row) => [row.sem[name] ? `${number(row.objectives[name])} ± ${number(row.sem[name])}` : number(row.objectives[name]), expectation(row.expected[name])]})),
      ...Object.entries(parameters).map(([name, spec]) => ({title: [words(name), spec.unit && h("span.unit", ` ${unit(spec.unit)}`)], number: true, cell: (row) => number(settled(row.parameters, parameters)[name])})),
    ], told.best, {key: (row) => row.experiment}),
  );
}

function expectation(interval, of = null) {
  if (!interval) return null;
  return of === null ? h("span.under.below", `${number(interval[0])} … ${number(interval[1])}`)
    : h("span.under", `expected between ${number(interval[0])} and ${quantity(interval[1], of)} (90 %)`);
}

const VERDICTS = {
  "too few": ["?", "It is too early to say: too few predictions have been tested."],
  fine: ["✓", "Yes, so far: its intervals hold what they promise."],
  "too narrow": ["!", "No: it is too sure of itself. Too many results lie outside its intervals."],
  "too wide": ["~", "Yes, and it is more careful than it needs to be: more results lie inside its intervals than it promised."],
};

function trust(told) {
  const judged = Object.entries(told.verdicts);
  const some = judged.some(([, c]) => c.results > 0);
  return section(
    "Can the model be trusted?",
    some ? h("ul.plain", judged.map(([name, c]) => h(
      "li", {"data-key": name}, h("h3", h("span.verdict", {class: `is-${c.verdict.replace(" ", "-")}`, "aria-hidden": "true"}, VERDICTS[c.verdict][0]), " ", words(name)),
      h("p", VERDICTS[c.verdict][1]),
      c.results > 0 && h("p.under", `Of the newest ${plural(c.results, "prediction")}, made before the measurement, ${c.inside_90} held the result in their 90 % interval and ${c.inside_80} in their 80 % one.`),
    ))) : empty("No prediction of the model has been tested yet."),
    some && h("p", h("a", {href: address(["campaigns", told.place, "figures"])}, "Predicted against measured, in figures")),
  );
}

function proposals(told) {
  if (!told.newest.length) return empty("Nothing has been proposed yet.");
  return h("ul.plain.rows", told.newest.map((row) => h(
    "li", {"data-key": String(row.experiment)}, h("p.marks", experimentLink(told.place, row.experiment), badge(row.status)),
    h("p", row.source === "model" ? `Chosen by the model: ${words(row.why)}.` : `${sentence(words(row.why))}.`),
    h("p.under", point(row.parameters, told.definition.problem.parameters)),
  )));
}

export function units(specs) {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, spec.unit]));
}
