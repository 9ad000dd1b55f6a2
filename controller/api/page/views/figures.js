// Every figure of a campaign; those that need the model are drawn when they are asked for.

import {act} from "../actions.js";
import {chart} from "../charts.js";
import {h} from "../dom.js";
import {sentence, words} from "../format.js";
import {get} from "../http.js";
import {campaignHead, empty} from "../parts/pieces.js";
import {concernsCampaign, loadCampaign} from "./campaign.js";

const wanted = new Set();

act("draw-figure", ({dataset}) => {
  wanted.add(`${dataset.campaign} ${dataset.kind}`);
  document.dispatchEvent(new CustomEvent("changed"));
});

export const figures = {
  concerns: concernsCampaign,

  async draw(place) {
    const [told, listed] = await Promise.all([loadCampaign(place.campaign), get(`/campaigns/${encodeURIComponent(place.campaign)}/figures`)]);
    return {
      title: `Figures of ${told.name}`,
      content: [
        campaignHead(told, "figures"),
        listed.figures.length ? h("div.charts.one", listed.figures.map((figure) => one(place.campaign, figure))) : empty("There is nothing to draw yet."),
      ],
    };
  },
};

function one(campaign, figure) {
  const {kind} = figure;
  if (figure.model && !wanted.has(`${campaign} ${kind}`)) {
    return h("div.chart", {"data-key": `ask-${kind}`}, h("h2", sentence(words(kind))), h("p.under", `${sentence(figure.about)}.`), h("button", {type: "button", "data-act": "draw-figure", "data-campaign": campaign,
      "data-kind": kind}, "Draw it: the model is asked, which takes some seconds"));
  }
  return chart(campaign, kind);
}
