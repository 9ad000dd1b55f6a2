// What is with the instruments now, and until when.

import {h} from "../dom.js";
import {duration, seconds, words} from "../format.js";
import {stream} from "../stream.js";
import {empty, experimentLink, when} from "./pieces.js";

/** What of a campaign runs, by its overview. */
export function running(told) {
  const held = told.instruments.filter((i) => i.held);
  const real = (at) => (at === null || !told.controller.at_work ? null : (seconds(at) - told.clock.offset) / told.clock.speed);
  return [
    told.running.length
      ? h("ul.plain.rows", told.running.map((row) => h("li", {"data-key": `${row.experiment}-${row.step}`},
        action({...row, campaign: told.place}, real(row.since), real(row.until)))))
      : empty(told.controller.at_work ? "Nothing runs at this moment." : "Nothing is known to run."),
    !told.controller.at_work && told.running.length > 0 && h("p.under", "So it was when a controller was last at work; what became of it is asked when one is again."),
    held.map((i) => h("p.problem", {"data-key": `held-${i.instrument}`}, `${i.instrument} is held: ${i.held}`)),
    told.waiting.length > 0 && h("p.under", "Waiting: ", told.waiting.slice(0, 8).map((n, i) => [i > 0 && ", ", experimentLink(told.place, n, String(n))]),
      told.waiting.length > 8 && ` and ${told.waiting.length - 8} more`, "."),
  ];
}

/** One action: what, for which experiment, and how long it still takes; `from` and `to` are real [s since 1970]. */
export function action(row, from, to) {
  return [
    h("p", h("strong", words(row.step)), ` on ${row.instrument} for `, experimentLink(row.campaign, row.experiment), row.status !== "running" && ` (${row.status})`),
    from === null ? h("p.under", "since ", when(row.since))
      : to === null ? h("p.under", "for ", h("time", {"data-since": from.toFixed(0)}, duration(stream.now() / 1000 - from)))
        : h("p.under.timed",
          h("progress", {max: "1", value: "0", "data-from": from.toFixed(1), "data-to": to.toFixed(1), "aria-label": `${words(row.step)}, how far`}),
          h("time", {"data-until": to.toFixed(1)}, duration(to - stream.now() / 1000))),
  ];
}
