// Who are you: a token is pasted, or a link has brought one.

import {act} from "../actions.js";
import {h} from "../dom.js";
import {get, post} from "../http.js";
import {fromOtherWindow, linkFromAddress, session} from "../session.js";

/** Find out who looks: by a link in the address, this tab's token, or another window's; null where all that says nothing. */
export async function recognise() {
  const link = linkFromAddress();
  if (link) {
    try {
      session.keep((await post("/tokens/from-link", {link})).token);
    } catch (problem) {
      if (!session.token) return {problem: problem.message};
    }
  }
  if (!session.token) {
    const other = await fromOtherWindow();
    if (other) session.keep(other);
  }
  if (!session.token) return {};
  try {
    session.person = await get("/whoami");
    return {};
  } catch (problem) {
    if (problem.status === 401) session.forget();
    return {problem: problem.message};
  }
}

/** What is shown to those who are not known; `entered` is called when they are. */
export function loginView(problem, entered) {
  act("login", async (form) => {
    const message = form.querySelector(".message");
    const token = new FormData(form).get("token").trim().replace(/^Authorization:\s*Bearer\s+/i, "");
    message.textContent = "";
    if (!token) {
      message.textContent = "Paste a token first.";
      form.querySelector("input").focus();
      return;
    }
    session.keep(token);
    try {
      session.person = await get("/whoami");
      entered();
    } catch (error) {
      session.forget();
      message.textContent = error.message;
      form.querySelector("input").focus();
    }
  });
  return h(
    "div.login.card",
    h("h1", {tabindex: "-1"}, "Labwright"),
    h("p", "Say who you are with a token. Whoever administers the lab makes one for you:"),
    h("pre", h("code", "labwright tokens new NAME --role look")),
    h("form", {"data-submit": "login", novalidate: true},
      h("label", {for: "token"}, "Token"),
      h("input", {id: "token", name: "token", type: "password", autocomplete: "off", spellcheck: "false", autocapitalize: "off",
        "aria-describedby": "token-help token-problem", placeholder: "labwright_…"}),
      h("p.help", {id: "token-help"}, "It is kept in this tab alone, until you sign out or close it."),
      h("p.message.problem", {id: "token-problem", role: "alert"}, problem ?? ""),
      h("button.primary", {type: "submit"}, "Enter")),
    h("p.help", "On this machine you can also open a link that ", h("code", "labwright tokens link NAME"), " prints; it lets you in once."),
  );
}
