// The log of a campaign, the newest first: every fact, as it was booked.

import {h} from "../dom.js";
import {number, plural, words} from "../format.js";
import {get} from "../http.js";
import {campaignHead, empty, experimentLink, section, when} from "../parts/pieces.js";
import {filtered} from "../router.js";
import {concernsCampaign, loadCampaign} from "./campaign.js";
import {pager} from "./campaigns.js";

const ROWS = 100;

export const log = {
  concerns: concernsCampaign,

  async draw(place) {
    const path = `/campaigns/${encodeURIComponent(place.campaign)}`;
    const told = await loadCampaign(place.campaign);
    const alarms = place.query.show === "alarms";
    const content = alarms ? alarmRows((await get(`${path}/alarms`)).alarms) : await events(path, told, place);
    const link = (show, text) => h("a", {href: filtered({show, page: ""}), "aria-current": (show === "alarms") === alarms ? "true" : null}, text);
    return {
      title: `Log of ${told.name}`,
      content: [campaignHead(told, "log"), section(
        "Log", h("p.choice", link("", `${plural(told.n_events, "event")}`), link("alarms", plural(told.alarms.count, "alarm"))), content)],
    };
  },
};

async function events(path, told, place) {
  const pages = Math.max(1, Math.ceil(told.n_events / ROWS));
  const page = Math.min(pages, Math.max(1, Number(place.query.page) || 1));
  const after = Math.max(0, told.n_events - page * ROWS);
  const limit = told.n_events - (page - 1) * ROWS - after;
  const numbers = new Map();
  const rows = limit > 0 ? (await get(`${path}/events?after=${after}&limit=${limit}`)).events.reverse() : [];
  for (const {body} of rows) if (body.number && body.experiment) numbers.set(body.experiment, body.number);
  return [
    rows.length ? h("ol.log", rows.map((event) => h(
      "li", {"data-key": event.id},
      h("span.log-when", when(event.at)),
      h("span.log-kind", event.kind.replaceAll(".", " ").replaceAll("_", " ")),
      h("span.log-what", what(event.body, numbers, place.campaign)),
      h("details", h("summary", `Event ${event.sequence}`), h("pre", {tabindex: "0"}, JSON.stringify(event.body, null, 1)))))) : empty("Nothing has happened yet."),
    pager(page, pages),
  ];
}

/** The parts of an event that tell most, in words. */
function what(body, numbers, campaign) {
  const parts = [];
  const n = body.number ?? numbers.get(body.experiment);
  if (n) parts.push(experimentLink(campaign, n));
  for (const name of ["step", "instrument", "action", "status", "code", "reason", "message", "by", "name"]) {
    if (typeof body[name] === "string" && body[name]) parts.push(` ${parts.length ? "· " : ""}${body[name]}`);
  }
  if (body.fault) parts.push(` · ${body.fault.message}`);
  for (const [name, seen] of Object.entries(body.observations ?? {})) parts.push(` · ${words(name)} ${number(seen.value)}`);
  return parts;
}

function alarmRows(alarms) {
  if (!alarms.length) return empty("No alarm was raised.");
  return h("ol.log", alarms.toReversed().map((alarm) => h("li", {"data-key": alarm.event}, h("span.log-when", when(alarm.at)), h("span.log-kind", words(alarm.code)), h("span.log-what", alarm.message))));
}
