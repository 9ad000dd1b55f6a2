// Asks before something is done, and tells what became of it. The dialog is the browser's own: focus stays within, Escape leaves.

import {h} from "./dom.js";

/**
 * Ask, and do. Stays open until `does` has ended; a problem is shown in it.
 *
 * @param {object} of - title, body (nodes), confirm (text of the button), danger, fields (nodes of a form), does(values) -> nodes|null
 * @returns {Promise<boolean>} whether it was done.
 */
export function ask({title, body = [], confirm, danger = false, fields = [], does, done = "Close"}) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    let ended = false;
    const message = h("div.dialog-message", {role: "alert"});
    const yes = h(danger ? "button.danger" : "button.primary", {type: "submit"}, confirm);
    const no = h("button", {type: "button"}, "Cancel");
    const form = h("form", {novalidate: true}, h("div.dialog-body", body, fields), message, h("div.dialog-buttons", no, yes));
    const box = h("dialog", {"aria-labelledby": "dialog-title"}, h("h2", {id: "dialog-title"}, title), form);
    no.addEventListener("click", () => box.close());
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    box.addEventListener("close", () => {
      box.remove();
      before?.isConnected && before.focus();
      resolve(ended);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (ended) return box.close();
      if (!form.reportValidity()) return;
      yes.disabled = true;
      yes.textContent = "…";
      message.replaceChildren();
      try {
        const told = await does(Object.fromEntries(new FormData(form)), form);
        ended = true;
        if (!told) return box.close();
        form.querySelector(".dialog-body").replaceChildren(...[told].flat());
        no.remove();
        yes.textContent = done;
        yes.className = "primary";
      } catch (problem) {
        message.replaceChildren(h("p.problem", lines(problem.message)));
        yes.textContent = confirm;
      }
      yes.disabled = false;
      yes.focus();
    });
    document.body.append(box);
    box.showModal();
    (form.querySelector("input, select, textarea") ?? no).focus();
  });
}

function lines(text) {
  return String(text).split("\n").flatMap((line, i) => (i ? [h("br"), line] : [line]));
}

/** Leave what is asked undone, because one has gone elsewhere. */
export function closeDialogs() {
  for (const box of document.querySelectorAll("dialog")) box.close();
}

/** Say something to those who do not look at the place where it changed. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
}
