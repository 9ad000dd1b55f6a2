// What waits for people: what is to be done, and a form for what was found.

import {act} from "../actions.js";
import {ask} from "../dialog.js";
import {h} from "../dom.js";
import {sentence, words} from "../format.js";
import {get, post, Problem, send} from "../http.js";
import {complain, fieldsOf, filledIn, noteOf} from "../parts/fields.js";
import {allowed} from "../parts/frame.js";
import {badge, empty, experimentLink, head, values, when} from "../parts/pieces.js";

let told = null;

export const tasks = {
  concerns: (news) => news.topics.includes("tasks"),

  async draw({query}) {
    const every = query.show === "all";
    const {tasks: rows, waiting} = await get(every ? "/tasks?all=true" : "/tasks");
    return {
      title: waiting ? `Tasks (${waiting})` : "Tasks",
      content: [
        head("Tasks", {under: h("p.choice", h("a", {href: "#/tasks", "aria-current": every ? null : "true"}, `${waiting} waiting`),
          h("a", {href: "#/tasks?show=all", "aria-current": every ? "true" : null}, "all"))}),
        told && h("p.card.good", {role: "status", "data-key": "told"}, told),
        rows.length ? h("ul.cards.broad", rows.map(card)) : empty(every ? "No person was asked for anything yet." : "Nothing waits for a person."),
      ],
    };
  },
};

function card(task) {
  const waiting = task.status === "waiting";
  return h(
    "li.card", {"data-key": task.task},
    h("h2", `${words(task.step ?? task.action)} on ${task.instrument}`),
    h("p.marks", badge(task.status), task.late && badge("late"), task.campaign && [experimentLink(task.campaign, task.experiment), ` of ${task.campaign}`]),
    h("p.instructions", task.instructions),
    Object.keys(task.arguments).length > 0 && values(
      Object.fromEntries(Object.entries(task.arguments).map(([name, a]) => [name, a.value])),
      Object.fromEntries(Object.entries(task.arguments).map(([name, a]) => [name, a.unit]))),
    h("p.under", "Asked ", when(task.asked_at), waiting && [", due ", when(task.due_at), "; after ", when(task.ends_at), " it counts as not done"], "."),
    waiting ? form(task) : outcome(task),
  );
}

function form(task) {
  const off = allowed("operate");
  return h(
    "form.task", {"data-submit": "answer-task", "data-task": task.task, novalidate: true},
    fieldsOf(task.task, task.fields),
    noteOf(task.task),
    h("div.message.problem", {role: "alert", "data-keep": "message"}),
    h("div.buttons",
      h("button.primary", {type: "submit", ...off}, "Done"),
      h("button", {type: "button", "data-act": "fail-task", "data-task": task.task, ...off}, "It could not be done…"),
      h("button", {type: "button", "data-act": "skip-task", "data-task": task.task, ...off}, "It is not done…")),
  );
}

function outcome(task) {
  const {answer} = task;
  return [
    answer && h("p", `${answer.by}, `, when(answer.at), ": ", answer.kind === "values" ? "" : `${answer.kind === "failed" ? "it could not be done" : "it is not done"}: ${answer.reason}`),
    answer?.kind === "values" && values(Object.fromEntries(Object.entries(answer.values).map(([name, v]) => [name, v.value])),
      Object.fromEntries(Object.entries(answer.values).map(([name, v]) => [name, v.unit]))),
    answer?.note && h("p", `Note: ${answer.note}`),
    task.why && h("p.under", sentence(task.why), "."),
  ];
}

act("answer-task", async (element) => {
  if (element.querySelector("[type=submit]").getAttribute("aria-disabled") === "true") return;
  const message = element.querySelector(".message");
  const {task} = element.dataset;
  message.replaceChildren();
  try {
    const given = filledIn(element);
    for (const field of element.querySelectorAll("[data-kind=file]")) {
      if (field.files.length) given[field.name] = await upload(task, field.files[0]);
    }
    await answer(task, {values: given, note: element.elements["note:"].value});
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    complain(element, problem.message.split("\n"));
  }
});

async function upload(task, file) {
  const answered = await send("POST", `/tasks/${encodeURIComponent(task)}/files`, {body: file, patience: 90000, headers: {"Content-Type": "application/octet-stream"}});
  return (await answered.json()).value;
}

async function answer(task, body) {
  told = sentence((await post(`/tasks/${encodeURIComponent(task)}/answer`, body)).text) + ".";
  document.dispatchEvent(new CustomEvent("changed"));
}

for (const [name, key, title, meaning] of [["fail-task", "failed", "It could not be done", "The experiment fails; the model learns that."],
  ["skip-task", "skipped", "It is not done", "The experiment is cancelled and teaches nothing."]]) {
  act(name, ({dataset}) => ask({
    title, confirm: "Say so", body: [h("p", meaning)],
    fields: [h("label", {for: "reason"}, "Why"), h("input", {id: "reason", name: "reason", required: true, maxlength: "2000", autocomplete: "off"})],
    async does({reason}) {
      await answer(dataset.task, {[key]: reason});
      return null;
    },
  }));
}
