// Steering campaigns and settling experiments: each asks first and tells what the controller answered.

import {act} from "../actions.js";
import {ask, say} from "../dialog.js";
import {h} from "../dom.js";
import {get, post} from "../http.js";
import {unit, words} from "../format.js";
import {allowed} from "./frame.js";

const VERBS = {
  pause: ["Pause", "running", "Nothing new is begun; what runs is finished. Everything is kept, and it can go on at any time."],
  resume: ["Resume", "paused", "It goes on where it was."],
  stop: ["Stop", "running paused", "What runs is finished, then the campaign ends for good. Its results stay."],
  abort: ["Abort", "running paused stopping", "The campaign ends now, for good: actions that run are cancelled, and what they used is lost."],
};

/** The buttons of a campaign; those that lead nowhere now are absent, those that the role does not allow are off. */
export function steeringButtons(campaign) {
  return Object.entries(VERBS).filter(([, [, from]]) => from.split(" ").includes(campaign.status)).map(([verb, [text]]) => h(
    "button", {type: "button", class: verb === "abort" ? "danger" : "", "data-key": `steer-${verb}`, "data-act": "steer", "data-verb": verb,
      "data-campaign": campaign.place, "data-name": campaign.name, ...allowed("operate")}, `${text}…`));
}

act("steer", async (button) => {
  const {verb, campaign, name} = button.dataset;
  const [text, , meaning] = VERBS[verb];
  const did = await ask({
    title: `${text} ${name}?`, confirm: `${text} the campaign`, danger: verb === "abort" || verb === "stop", body: [h("p", meaning)],
    async does() {
      return told(await post(`/campaigns/${encodeURIComponent(campaign)}/${verb}`));
    },
  });
  if (did) say(`${text}: done`);
  document.dispatchEvent(new CustomEvent("changed"));
});

/** What the controller answered; nothing where all is as expected, so that the dialog closes. */
function told(answer) {
  return answer.status === 202 ? [h("p", h("strong", "Noted. "), answer.answer)] : null;
}

const SETTLE = {
  retry: ["Try again", "It is queued again, with the same setting."],
  abandon: ["Give up", "It is never tried again; the model learns that it has failed there."],
};

/** What can be done about an experiment as it stands. */
export function settlingButtons(campaign, experiment) {
  const button = (name, text, more = {}) => h(
    "button", {type: "button", "data-key": `settle-${name}`, "data-act": name, "data-campaign": campaign.place, "data-number": experiment.number,
      ...allowed("operate"), ...more}, text);
  if (experiment.status === "failed") {
    return Object.entries(SETTLE).map(([verb, [text]]) => button("settle", `${text}…`, {"data-verb": verb, "data-key": `settle-${verb}`}));
  }
  if (experiment.status === "unknown") return [button("explain", "What is known of it…"), button("resolve", "Say what became of it…")];
  if (experiment.status === "completed") {
    const undo = Boolean(experiment.retracted_at);
    return [button("retract", undo ? "Take the result back in…" : "Retract the result…", {"data-undo": undo ? "yes" : "no"})];
  }
  return [];
}

const at = ({campaign, number}, verb) => `/campaigns/${encodeURIComponent(campaign)}/experiments/${encodeURIComponent(number)}/${verb}`;
const changed = () => document.dispatchEvent(new CustomEvent("changed"));

act("settle", async ({dataset}) => {
  const [text, meaning] = SETTLE[dataset.verb];
  await ask({
    title: `${text}: experiment ${dataset.number}?`, confirm: text, body: [h("p", meaning)],
    async does() { return told(await post(at(dataset, dataset.verb))); },
  });
  changed();
});

act("retract", async ({dataset}) => {
  const undo = dataset.undo === "yes";
  await ask({
    title: undo ? `Take the result of experiment ${dataset.number} back in?` : `Retract the result of experiment ${dataset.number}?`,
    confirm: undo ? "Take it back in" : "Retract it",
    body: [h("p", undo ? "The model learns from it again." : "The model no longer learns from it. Nothing is deleted, and it can be taken back in.")],
    fields: [h("label", {for: "reason"}, "Why"), h("input", {id: "reason", name: "reason", required: true, maxlength: "2000", autocomplete: "off"})],
    async does({reason}) {
      const answer = await post(at(dataset, "retract"), {reason, undo});
      const rested = answer.rested_on ?? [];
      return rested.length
        ? [h("p", `Done. ${rested.length} proposals rested on it: ${rested.map((e) => e.number ?? e).join(", ")}.`)] : told(answer);
    },
  });
  changed();
});

act("explain", async ({dataset}) => {
  await ask({
    title: `What is known of experiment ${dataset.number}`, confirm: "Look now",
    body: [h("p", "Store and journals are read, and the instruments are asked what they read now, by actions that change nothing.")],
    async does() {
      const known = await post(at(dataset, "explain"));
      return [
        ...known.attempts.map((a) => h(
          "section", h("h3", `${a.step} on ${a.instrument}, attempt ${a.attempt}`), h("p", `${a.status}${a.reason ? `: ${a.reason}` : ""}.`),
          a.meaning && h("p", a.meaning), h("p", `The instrument is ${a.state}. ${a.not_read ? `Not read: ${a.not_read}.` : ""}`),
          h("ul.plain", Object.entries(a.reads).flatMap(([action, read]) => Object.entries(read).map(([name, [value, of]]) => h(
            "li", `${words(action)}: ${words(name)} ${value} ${unit(of)}`)))))),
        h("h3", "What each answer would mean"),
        h("dl.values", Object.entries(known.choices).map(([verdict, meaning]) => h("div", h("dt", verdict), h("dd", String(meaning))))),
      ];
    },
  });
});

act("resolve", async ({dataset}) => {
  const campaign = await get(`/campaigns/${encodeURIComponent(dataset.campaign)}`);
  const objectives = Object.entries(campaign.definition.problem.objectives);
  const picked = h("select", {id: "status", name: "status"}, [["failed", "It failed"], ["abandoned", "It failed, and is never tried again"],
    ["completed", "It was carried out, and I know the result"]].map(([value, text]) => h("option", {value}, text)));
  const results = h("div", {hidden: true}, objectives.map(([name, spec]) => [
    h("label", {for: `value-${name}`}, `${words(name)}${spec.unit ? ` [${unit(spec.unit)}]` : ""}`),
    h("input", {id: `value-${name}`, name: `value:${name}`, type: "number", step: "any", inputmode: "decimal"}),
  ]));
  picked.addEventListener("change", () => {
    results.hidden = picked.value !== "completed";
    for (const input of results.querySelectorAll("input")) input.required = picked.value === "completed";
  });
  await ask({
    title: `What became of experiment ${dataset.number}?`, confirm: "Book it",
    body: [h("p", "Your word is booked with your name. “What is known of it” shows what the instruments say.")],
    fields: [h("label", {for: "status"}, "What became of it"), picked, results, h("label", {for: "reason"}, "How it is known"),
      h("input", {id: "reason", name: "reason", required: true, maxlength: "2000", autocomplete: "off"})],
    async does(given) {
      const entries = Object.entries(given).filter(([name, value]) => name.startsWith("value:") && value !== "");
      const values = given.status === "completed" ? Object.fromEntries(entries.map(([name, value]) => [name.slice(6), Number(value)])) : {};
      return told(await post(at(dataset, "resolve"), {status: given.status, values, reason: given.reason}));
    },
  });
  changed();
});
