// All campaigns, the newest first, and how to begin one.

import {act} from "../actions.js";
import {h} from "../dom.js";
import {plural} from "../format.js";
import {get} from "../http.js";
import {address, filtered} from "../router.js";
import {badge, head, progress, simulated, when} from "../parts/pieces.js";

const ROWS = 30;
const LIVE = ["running", "stopping", "paused"];

act("find-campaign", (input) => {
  clearTimeout(input.waiting);
  input.waiting = setTimeout(() => { location.replace(filtered({find: input.value, page: ""})); }, 250);
});
act("filter-campaigns", (select) => { location.hash = filtered({status: select.value, page: ""}); });
document.addEventListener("input", ({target}) => { if (target.id === "find") target.dispatchEvent(new Event("change", {bubbles: true})); });

export const campaigns = {
  concerns: (news) => news.campaigns.length > 0 || news.topics.includes("campaigns"),

  async draw({query}) {
    const {campaigns: every} = await get("/campaigns");
    if (!every.length) return {title: "Campaigns", content: [head("Campaigns"), begin()]};
    const names = new Map();
    for (const one of every) names.set(one.name, (names.get(one.name) ?? 0) + 1);
    const wanted = (query.find ?? "").toLowerCase();
    const found = every.filter((c) => c.name.toLowerCase().includes(wanted) && (!query.status || c.status === query.status));
    found.sort((a, b) => LIVE.includes(b.status) - LIVE.includes(a.status));
    const pages = Math.max(1, Math.ceil(found.length / ROWS));
    const page = Math.min(pages, Math.max(1, Number(query.page) || 1));
    const statuses = [...new Set(every.map((c) => c.status))].sort();
    const live = every.filter((c) => c.status === "running").length;
    return {
      title: "Campaigns",
      content: [
        head("Campaigns", {under: h("p.under", `${plural(every.length, "campaign")}, ${live} running`)}),
        every.length > 5 && h(
          "div.filters", {role: "search", "aria-label": "Campaigns"},
          h("div", h("label", {for: "find"}, "Name"), h("input", {id: "find", type: "search", value: query.find ?? "", "data-change": "find-campaign", autocomplete: "off"})),
          h("div", h("label", {for: "status"}, "Status"), h("select", {id: "status", "data-act": "filter-campaigns"},
            h("option", {value: ""}, "all"), statuses.map((s) => h("option", {value: s, selected: s === query.status}, s)))),
        ),
        found.length ? h("ul.cards", found.slice((page - 1) * ROWS, page * ROWS).map((c) => card(c, names.get(c.name) > 1))) : h("p.empty", "No campaign is like that. ",
          h("a", {href: "#/"}, "Show all")),
        pager(page, pages),
      ],
    };
  },
};

function card(campaign, twice) {
  const name = twice ? campaign.id : campaign.name;
  return h(
    "li.card", {"data-key": campaign.id},
    h("h2", h("a", {href: address(["campaigns", name])}, campaign.name)),
    h("p.marks", badge(campaign.status), simulated(campaign.simulated)),
    progress(campaign),
    campaign.reason && campaign.reason !== "begun" && h("p.under", campaign.reason),
    h("p.under", "Changed ", when(campaign.updated_at), campaign.simulated && " (lab time)"),
  );
}

/** Links to the other pages of a long list. */
export function pager(page, pages) {
  if (pages < 2) return null;
  const link = (to, text, label) => (to >= 1 && to <= pages && to !== page
    ? h("a", {href: filtered({page: to === 1 ? "" : to}), "aria-label": label}, text) : h("span.off", {"aria-hidden": "true"}, text));
  return h("nav.pager", {"aria-label": "Pages"}, link(1, "« first", "First page"), link(page - 1, "‹ before", "Page before"),
    h("span", `Page ${page} of ${pages}`), link(page + 1, "next ›", "Next page"), link(pages, "last »", "Last page"));
}

function begin() {
  return h(
    "section.card", h("h2", "There is no campaign yet"),
    h("p", "Begin one in a terminal; it appears here by itself:"),
    h("pre", h("code", "labwright init my-campaign\nlabwright campaign start my-campaign/campaign.yaml")),
    h("p", "Or see one at work, with simulated instruments: ", h("code", "labwright demo"), "."),
  );
}
