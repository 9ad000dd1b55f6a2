// The log of a campaign, the newest first: every fact, as it was booked.

import {h} from "../dom.js";
import {plural, words} from "../format.js";
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
  const rows = limit > 0 ? (await get(`${path}/log?after=${after}&limit=${limit}`)).happenings.toReversed() : [];
  return [
    rows.length ? h("ol.log", rows.map((row) => h(
      "li", {"data-key": String(row.sequence)},
      h("span.log-when", when(row.at)),
      h("span.log-kind", row.kind.split(".")[0], row.experiment !== null && row.experiment !== undefined && [" ", experimentLink(place.campaign, row.experiment, String(row.experiment))]),
      h("span.log-what", row.text)))) : empty("Nothing has happened yet."),
    pager(page, pages),
  ];
}

function alarmRows(alarms) {
  if (!alarms.length) return empty("No alarm was raised.");
  return h("ol.log", alarms.toReversed().map((alarm) => h("li", {"data-key": alarm.event}, h("span.log-when", when(alarm.at)), h("span.log-kind", words(alarm.code)), h("span.log-what", alarm.message))));
}
