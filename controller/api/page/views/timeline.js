// The instruments over time, and what waits for them.

import {chart} from "../charts.js";
import {h} from "../dom.js";
import {plural} from "../format.js";
import {get} from "../http.js";
import {campaignHead, empty, experimentLink, point, section} from "../parts/pieces.js";
import {running} from "../parts/running.js";
import {concernsCampaign, loadCampaign} from "./campaign.js";

export const timeline = {
  concerns: concernsCampaign,

  async draw(place) {
    const path = `/campaigns/${encodeURIComponent(place.campaign)}`;
    const [told, queued] = await Promise.all([loadCampaign(place.campaign), get(`${path}/experiments?status=queued&limit=50`)]);
    const rows = queued.experiments;
    return {
      title: `Timeline of ${told.name}`,
      content: [
        campaignHead(told, "timeline"),
        h("div.columns",
          section("Now", running(told)),
          section(`Waiting: ${plural(queued.total, "experiment")}`, rows.length ? h("ol.plain.rows", rows.map((row) => h(
            "li", {"data-key": String(row.number)}, h("p", experimentLink(place.campaign, row.number)), h("p.under", point(row.parameters, told.definition.problem.parameters)))))
            : empty("Nothing waits for an instrument."))),
        h("div.charts.one", chart(place.campaign, "timeline")),
      ],
    };
  },
};
