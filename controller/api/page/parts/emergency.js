// The emergency stop: from everywhere, with one question, and with what each instrument has answered.

import {act} from "../actions.js";
import {ask} from "../dialog.js";
import {h} from "../dom.js";
import {get, post, Problem} from "../http.js";

act("emergency", async () => {
  const known = h("div", h("p.under", "Looking which are at work…"));
  get("/instruments").then(
    ({instruments}) => known.replaceChildren(...atWork(instruments.filter((row) => row.state !== "not at work"))),
    (problem) => known.replaceChildren(h("p.problem", `Which they are is not known now (${problem.message}); all that are found are stopped.`)),
  );
  await ask({
    title: "Emergency stop",
    danger: true,
    confirm: "Stop all instruments now",
    done: "Close",
    // It can be asked for before it is known which instruments there are: a stop waits for nothing.
    body: [
      h("p", "Every instrument that is at work is stopped at once, past any controller. What runs is broken off, and each is held until somebody resumes it."),
      known,
    ],
    async does() {
      return report("stopped", await confirmed("/instruments/stop", {all: true, mode: "now"}));
    },
  });
  document.dispatchEvent(new CustomEvent("changed"));
});

function atWork(instruments) {
  if (!instruments.length) return [h("p", "No instrument is known to be at work; the stop is tried all the same.")];
  return [h("ul.plain", instruments.map((row) => h("li", h("strong", row.instrument), ` in ${row.lab}: ${row.state}`, row.simulated && " (simulated)")))];
}

act("stop-instrument", (button) => one(button, {
  title: `Stop ${button.dataset.instrument}`, confirm: "Stop it now", danger: true, path: "/instruments/stop", word: "stopped", extra: {mode: "now"},
  body: "It is stopped at once. What it does is broken off, and it is held until somebody resumes it.",
}));

act("resume-instrument", (button) => one(button, {
  title: `Resume ${button.dataset.instrument}`, confirm: "Resume it", path: "/instruments/resume", word: "resumed", extra: {},
  body: "The stop is lifted, and what waits for it goes on. Look at the instrument first: whatever led to the stop should be over.",
}));

async function one(button, {title, confirm, danger = false, path, word, extra, body}) {
  const {instrument, lab} = button.dataset;
  await ask({
    title, confirm, danger, body: [h("p", body)],
    async does() {
      return report(word, await confirmed(path, {instruments: [instrument], lab, ...extra}));
    },
  });
  document.dispatchEvent(new CustomEvent("changed"));
}

for (const [name, verb, text] of [["disable-instrument", "disable", "Nothing more is sent to it, in any campaign; what runs there is finished."],
  ["enable-instrument", "enable", "It may be given work again."]]) {
  act(name, async (button) => {
    const {instrument, lab} = button.dataset;
    await ask({
      title: `${verb === "disable" ? "Disable" : "Enable"} ${instrument}`, confirm: verb === "disable" ? "Disable it" : "Enable it",
      body: [h("p", text)],
      fields: [h("label", {for: "reason"}, verb === "disable" ? "Why" : "Why (may be left out)"),
        h("input", {id: "reason", name: "reason", maxlength: "2000", required: verb === "disable", autocomplete: "off"})],
      async does({reason}) {
        const answer = await post(`/instruments/${encodeURIComponent(instrument)}/${verb}`, {reason, lab});
        return h("p", `${instrument}: ${answer.answer}.`);
      },
    });
    document.dispatchEvent(new CustomEvent("changed"));
  });
}

/** What each driver answered; an instrument that has not confirmed is no exception but a row. */
async function confirmed(path, body) {
  try {
    return (await post(path, body, {patience: 30000})).instruments;
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 502 && problem.body?.instruments) return problem.body.instruments;
    throw problem;
  }
}

function report(word, rows) {
  if (!rows.length) return h("p.problem", "No instrument was found at work: nothing was stopped. Go and look.");
  const missing = rows.filter((row) => !row.confirmed);
  return [
    missing.length
      ? h("p.problem", `${missing.length} of ${rows.length} ${missing.length === 1 ? "has" : "have"} not confirmed. Go and look.`)
      : h("p.good", rows.length === 1 ? `It has confirmed: ${word}.` : `All ${rows.length} have confirmed: ${word}.`),
    h("ul.plain", rows.map((row) => h(
      "li", h("strong", row.instrument), ` in ${row.lab}: `,
      row.confirmed ? `${word} within ${Math.max(1, Math.round(1000 * row.took_s))} ms` : h("span.problem", `not ${word}`),
      row.message && `; ${row.message}`, row.stuck?.length > 0 && "; what it did has not returned"))),
    word === "stopped" && h("p", "They are held until somebody resumes them: ", h("a", {href: "#/instruments"}, "Instruments"), "."),
  ];
}
