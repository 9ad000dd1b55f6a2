// The experiments of a campaign as a table: filtered and sorted by the server, page by page, however many there are.

import {act} from "../actions.js";
import {h} from "../dom.js";
import {number, plural, settled, unit, words} from "../format.js";
import {get} from "../http.js";
import {badge, campaignHead, experimentLink, section, table, when} from "../parts/pieces.js";
import {address, filtered, place as here} from "../router.js";
import {concernsCampaign, loadCampaign} from "./campaign.js";
import {pager} from "./campaigns.js";

const ROWS = 50;
const STATUSES = ["proposed", "queued", "running", "completed", "failed", "abandoned", "cancelled", "unknown"];

act("filter-experiments", (select) => { location.hash = filtered({status: select.value, page: ""}); });
act("sort-experiments", (select) => { location.hash = filtered({sort: select.value, page: ""}); });
act("go-to-experiment", (form) => {
  const wanted = new FormData(form).get("number").trim();
  if (wanted) location.hash = address(["campaigns", here().campaign, "experiments", wanted]);
});

export const experiments = {
  concerns: concernsCampaign,

  async draw(place) {
    const {query} = place;
    const told = await loadCampaign(place.campaign);
    const {objectives, parameters} = told.definition.problem;
    const sort = query.sort || "-number";
    const total = query.status ? told.counts[query.status] ?? 0 : Object.values(told.counts).reduce((a, b) => a + b, 0);
    const pages = Math.max(1, Math.ceil(total / ROWS));
    const page = Math.min(pages, Math.max(1, Number(query.page) || 1));
    const ask = new URLSearchParams({sort, limit: ROWS, offset: (page - 1) * ROWS, ...(query.status ? {status: query.status} : {})});
    const {experiments: rows} = await get(`/campaigns/${encodeURIComponent(place.campaign)}/experiments?${ask}`);
    const sorted = (name) => (sort === name ? "ascending" : sort === `-${name}` ? "descending" : null);
    const columns = [
      {title: "Number", cell: (row) => experimentLink(place.campaign, row.number, String(row.number)), sorted: sorted("number")},
      {title: "Status", cell: (row) => [badge(row.status), row.retracted_at && badge("retracted")]},
      ...Object.entries(objectives).map(([name, spec]) => ({title: titled(name, spec), number: true, cell: (row) => number(row.objectives[name]), sorted: sorted(name)})),
      ...Object.entries(parameters).map(([name, spec]) => ({title: titled(name, spec), number: typeof spec.bounds !== "undefined" || Boolean(spec.values),
        cell: (row) => number(settled(row.parameters, parameters)[name])})),
      {title: "Chosen by", cell: (row) => words(row.source)},
      {title: "Ended", cell: (row) => when(row.completed_at)},
      {title: "Remark", cell: (row) => h("span.setting", row.retracted_reason ? `retracted: ${row.retracted_reason}` : row.reason)},
    ];
    return {
      title: `Experiments of ${told.name}`,
      content: [
        campaignHead(told, "experiments"),
        section(
          plural(total, "experiment"),
          h("div.filters", {role: "search", "aria-label": "Experiments"},
            h("div", h("label", {for: "status"}, "Status"), h("select", {id: "status", "data-act": "filter-experiments"},
              h("option", {value: "", selected: !query.status}, "all"),
              STATUSES.map((s) => h("option", {value: s, selected: s === query.status}, `${s} (${told.counts[s]})`)))),
            h("div", h("label", {for: "sort"}, "Order"), h("select", {id: "sort", "data-act": "sort-experiments"},
              [["-number", "newest first"], ["number", "oldest first"],
                ...Object.keys(objectives).flatMap((name) => [[`-${name}`, `${words(name)}, largest first`], [name, `${words(name)}, smallest first`]])]
                .map(([value, text]) => h("option", {value, selected: value === sort}, text)))),
            h("form", {"data-submit": "go-to-experiment"}, h("label", {for: "number"}, "Number"),
              h("div.joined", h("input", {id: "number", name: "number", inputmode: "numeric", size: "6", autocomplete: "off"}), h("button", {type: "submit"}, "Show")))),
          table(`Experiments of ${told.name}`, columns, rows, {
            key: (row) => row.number, none: query.status ? `No experiment is ${query.status}.` : "Nothing has been proposed yet."}),
          pager(page, pages),
        ),
      ],
    };
  },
};

function titled(name, spec) {
  return [words(name), spec.unit && h("span.unit", ` ${unit(spec.unit)}`)];
}
