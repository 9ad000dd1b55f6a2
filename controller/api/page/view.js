// The view that is shown: loads it, draws it, draws it again when what it shows has changed, and keeps focus where it was.

import {charts} from "./charts.js";
import {h} from "./dom.js";
import {morph} from "./morph.js";
import {Problem} from "./http.js";

const SETTLE = 400;

/** Shows one view at a time in `main`. */
export class Shown {
  #main;
  #views;
  #now = null;
  #place = null;
  #timer = null;
  #loading = null;
  #again = false;

  constructor(main, views) {
    this.#main = main;
    this.#views = views;
  }

  /** Go to a view; `focus` moves the focus to it, for those who do not see that it has changed. */
  async go(place, {focus = true} = {}) {
    const same = this.#place?.view === place.view && this.#place?.campaign === place.campaign && this.#place?.number === place.number;
    this.#place = place;
    this.#now = this.#views[place.view] ?? this.#views.nowhere;
    if (!same) {
      document.title = "Labwright";
      window.scrollTo(0, 0);
      this.#main.replaceChildren(h("p.loading", {role: "status"}, "Loading…"));
    }
    await this.#load();
    if (focus && !same) (this.#main.querySelector("h1") ?? this.#main).focus({preventScroll: true});
  }

  /** Show nothing any more; what is still under way is dropped. */
  leave() {
    this.#place = null;
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Load again soon: several changes at once cost one. */
  refresh(wait = SETTLE) {
    if (!this.#place || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#load();
    }, wait);
  }

  /** Whether news is about what is shown. */
  concerns(news) {
    return this.#now?.concerns?.(news, this.#place) ?? false;
  }

  /** Load and draw until what is shown is what was asked for last; whoever asks meanwhile waits for that too. */
  #load() {
    this.#again = true;
    this.#loading ??= (async () => {
      while (this.#again && this.#place) {
        this.#again = false;
        await this.#draw(this.#place);
      }
    })().finally(() => { this.#loading = null; });
    return this.#loading;
  }

  async #draw(place) {
    let drawn;
    try {
      drawn = await this.#now.draw(place);
    } catch (problem) {
      if (problem.status === 401) return;
      if (!(problem instanceof Problem)) console.error(problem);
      drawn = {title: "It cannot be shown", content: [h("h1", {tabindex: "-1"}, "It cannot be shown"), trouble(problem)]};
    }
    if (place !== this.#place) return;
    document.title = `${drawn.title} · Labwright`;
    morph(this.#main, h("main", {id: "main", tabindex: "-1"}, drawn.content));
    charts.draw(this.#main);
    document.dispatchEvent(new CustomEvent("drawn", {detail: drawn}));
  }
}

/** What is told of a problem, and what to do. */
export function trouble(problem) {
  return h(
    "div.trouble",
    h("p", problem instanceof Problem ? problem.message : `This page has made a mistake: ${problem.message}`),
    h("p", h("button", {type: "button", "data-act": "again"}, "Try again"), " ", h("a", {href: "#/"}, "All campaigns")),
  );
}
