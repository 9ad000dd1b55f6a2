// What a person fills in: a labelled input for each field of a form, with what is expected.

import {h} from "../dom.js";
import {sentence, unit, words} from "../format.js";

/** The inputs of a form; `key` makes their ids its own. */
export function fieldsOf(key, fields) {
  return Object.entries(fields).map(([name, field]) => {
    const id = `${key}-${name}`;
    return h("div", {"data-key": name},
      h("label", {for: id}, words(name), field.unit && ` [${unit(field.unit)}]`, field.optional && " (may be left out)"),
      input(field, {id, name, "aria-describedby": `${id}-help`, "data-kind": field.kind, required: !field.optional}),
      h("p.help", {id: `${id}-help`}, [field.description && `${sentence(field.description)}. `, sentence(field.expected), "."]));
  });
}

/** A text that may be left out. */
export function noteOf(key) {
  return h("div", h("label", {for: `${key}-note`}, "Note (may be left out)"), h("input", {id: `${key}-note`, name: "note:", autocomplete: "off", maxlength: "2000"}));
}

/** What was filled in, by name, but for files. */
export function filledIn(form) {
  const found = {};
  for (const field of form.querySelectorAll("[data-kind]")) {
    if (field.dataset.kind !== "file" && field.value.trim()) found[field.name] = field.dataset.kind === "bool" ? field.value === "true" : field.value.trim();
  }
  return found;
}

/** Say what is wrong in the form's place for it, and lead to the first field that is meant. */
export function complain(form, lines) {
  form.querySelector(".message").replaceChildren(...lines.map((line) => h("p", line)));
  (form.elements[lines[0].split(":")[0]] ?? form.querySelector("[data-kind]"))?.focus();
}

function input(field, attributes) {
  const of = {...attributes, autocomplete: "off"};
  const choices = field.kind === "bool" ? [["true", "yes"], ["false", "no"]] : field.choices?.map((choice) => [choice, choice]);
  if (choices) return h("select", of, h("option", {value: ""}, "choose…"), choices.map(([value, text]) => h("option", {value}, text)));
  if (field.kind === "file") return h("input", {...of, type: "file"});
  return h("input", {...of, inputmode: field.kind === "str" ? "text" : "decimal"});
}
