// Every instrument: its state, what it does and until when, how busy it is, and what keeps it from being given work.

import {h} from "../dom.js";
import {plural} from "../format.js";
import {get} from "../http.js";
import {allowed} from "../parts/frame.js";
import {badge, head, section, simulated, values} from "../parts/pieces.js";
import {action} from "../parts/running.js";
import {address} from "../router.js";

export const instruments = {
  concerns: (news) => news.topics.includes("instruments"),

  async draw({query}) {
    const told = await get("/instruments");
    const at = new Map(told.labs.map((lab) => [lab.lab, lab]));
    const here = told.instruments.filter((i) => i.state !== "not at work");
    const shown = query.show === "all" ? told.instruments : here;
    const away = told.instruments.length - here.length;
    const labs = [...new Set(shown.map((i) => i.lab))];
    return {
      title: "Instruments",
      content: [
        head("Instruments", {under: h("p.under", `${plural(here.length, "instrument")} at work`, away > 0 && query.show !== "all" && [
          `, ${away} more of labs without a controller: `, h("a", {href: "#/instruments?show=all"}, "show all"), "."])}),
        !shown.length && h("p.empty", told.instruments.length ? "No controller is at work in any lab." : "Instruments appear with the first campaign."),
        told.interlocks.length > 0 && section("Interlocks", h("ul.plain", told.interlocks.map((lock) => h(
          "li", {"data-key": `${lock.lab} ${lock.interlock}`}, h("strong", lock.interlock), ` in ${lock.lab}: `, badge(lock.state), lock.reason && ` ${lock.reason}`)))),
        labs.map((lab) => h(
          "section", {"aria-label": `Lab ${lab}`, "data-key": `lab-${lab}`}, h("h2", `Lab ${lab}`),
          h("ul.cards", shown.filter((i) => i.lab === lab).map((i) => card(i, at.get(lab)))))),
      ],
    };
  },
};

/** When it is, or was, so late in a lab, in real time [s since 1970]; null where no controller tells. */
function real(labTime, at) {
  return at ? at.published + (labTime - at.at) / at.speed : null;
}

function card(i, at) {
  const busy = at?.busy[i.instrument];
  const stopped = ["stopped", "stopping", "holding", "safe"].includes(i.state) || /^stopped/.test(i.held);
  const working = i.state !== "not at work";
  const button = (act, text, more = {}) => h("button", {type: "button", "data-key": act, "data-act": act, "data-instrument": i.instrument, "data-lab": i.lab, ...allowed("operate"), ...more}, text);
  return h(
    "li.card.instrument", {"data-key": `${i.lab} ${i.instrument}`},
    h("h3", i.instrument),
    h("p.marks", badge(i.state), simulated(i.simulated), !i.enabled && badge("disabled")),
    i.running.length ? i.running.map((row) => h("div", {"data-key": `${row.experiment}-${row.step}`}, action({...row, instrument: i.instrument}, real(row.since, at), row.expected_s === null ? null : real(row.since + row.expected_s, at)))) : working && h("p.under", "Does nothing at this moment."),
    i.held && h("p.problem", `Held: ${i.held}`),
    busy !== undefined && h("p.under.timed", h("meter", {min: "0", max: "1", value: String(Math.min(1, busy)), "aria-label": `${i.instrument}, share of time at work`}),
      `at work ${Math.round(100 * Math.min(1, busy))} % of the time`),
    Object.keys(i.limits).length > 0 && values(i.limits),
    h("p.under", `Driver ${i.driver}`, i.capacity > 1 && `, ${i.capacity} at once`, "; used by ", i.campaigns.slice(-3).map((name, n) => [n > 0 && ", ", h("a", {href: address(["campaigns", name])}, name)]),
      i.campaigns.length > 3 && ` and ${i.campaigns.length - 3} more`),
    h("div.buttons",
      working && !stopped && button("stop-instrument", "Stop…", {class: "danger"}),
      stopped && button("resume-instrument", "Resume…"),
      i.enabled ? button("disable-instrument", "Disable…") : button("enable-instrument", "Enable…")),
  );
}


