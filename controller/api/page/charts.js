// Draws figures into the elements that ask for one: <div data-chart="/campaigns/x/figures/progress" data-keep>. What draws them is
// large and fetched when the first is on the page; it follows the width and light or dark by itself (figures/figure.js).

import {h} from "./dom.js";
import {sentence} from "./format.js";
import {get} from "./http.js";

let drawing = null;

function drawer() {
  drawing ??= (async () => {
    await import("./figures/d3.min.js");
    await import("./figures/plot.umd.min.js");
    await import("./figures/figure.js");
    return globalThis.drawFigure;
  })().catch((error) => {
    drawing = null;
    throw error;
  });
  return drawing;
}

class Charts {
  #drawn = new WeakMap();

  /** Draw, or draw again where it has changed, every figure within `root`. */
  async draw(root) {
    for (const place of root.querySelectorAll("[data-chart]")) await this.#one(place);
  }

  async #one(place) {
    const from = place.dataset.chart;
    try {
      const [figure, draw] = await Promise.all([get(from), drawer()]);
      if (!place.isConnected || place.dataset.chart !== from || this.#drawn.get(place) === figure) return;
      const empty = figure.panels.length === 0;
      if (empty || !this.#drawn.get(place)?.panels.length) place.replaceChildren(empty ? h("p.empty", `${sentence(figure.summary)}.`) : h("div"));
      this.#drawn.set(place, figure);
      if (empty) return;
      draw(place.firstElementChild, figure);
    } catch (problem) {
      if (!this.#drawn.has(place)) place.replaceChildren(h("p.empty", problem.message));
    } finally {
      place.removeAttribute("aria-busy");
    }
  }
}

export const charts = new Charts();

/** A place for a figure of a campaign. */
export function chart(campaign, kind, query = "") {
  return h(
    "div.chart",
    {"data-chart": `/campaigns/${encodeURIComponent(campaign)}/figures/${kind}${query}`, "data-key": `chart-${kind}${query}`,
     "data-keep": kind + query, "aria-busy": "true"},
    h("p.empty", "Drawing…"),
  );
}
