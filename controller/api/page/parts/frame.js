// What surrounds every view: where one is, who one is, whether it is live, and the emergency stop.

import {h, icon} from "../dom.js";
import {moment} from "../format.js";
import {morph} from "../morph.js";
import {place} from "../router.js";
import {session} from "../session.js";
import {stream} from "../stream.js";

const SUN = "M12 4V2M12 22v-2M4 12H2M22 12h-2M5.6 5.6 4.2 4.2M19.8 19.8l-1.4-1.4M18.4 5.6l1.4-1.4M4.2 19.8l1.4-1.4M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z";
const LINKS = [["campaigns", "#/", "Campaigns"], ["instruments", "#/instruments", "Instruments"], ["tasks", "#/tasks", "Tasks"],
  ["requests", "#/requests", "Requests"]];

/** Draw the head of the page; `tasks`: how many wait for somebody. */
export function drawFrame(tasks = 0) {
  const {view} = place();
  const top = document.getElementById("top");
  const section = LINKS.some(([name]) => name === view) ? view : "campaigns";
  morph(top, h(
    "header", {id: "top"},
    h("a.brand", {href: "#/", "aria-label": "Labwright, all campaigns"}, h("span.flask", {"aria-hidden": "true"}), h("span", "Labwright")),
    session.person && h(
      "nav", {"aria-label": "Main"},
      LINKS.map(([name, href, text]) => h(
        "a", {href, "aria-current": name === section ? "page" : null}, text,
        name === "tasks" && tasks > 0 && h("span.count", {"aria-label": `, ${tasks} waiting`}, tasks),
      )),
    ),
    h(
      "div.tools",
      session.person && connection(),
      h("button.bare", {type: "button", "data-act": "theme", "aria-label": "Switch between light and dark", title: "Light or dark"}, icon(SUN)),
      session.person && h("button.stop", {type: "button", ...allowed("operate"), "data-act": "emergency"}, "Emergency stop"),
    ),
  ));
  morph(document.getElementById("foot"), h(
    "footer", {id: "foot"},
    session.person
      ? [h("span", `You are ${session.person.name}; your role is ${session.person.role}, until ${moment(session.person.expires_at)}.`),
         h("button.link", {type: "button", "data-act": "sign-out"}, "Sign out")]
      : h("span", "Labwright"),
  ));
}

function connection() {
  const live = stream.live;
  return h(
    "span.live", {class: live ? "is-live" : "is-lost", title: live ? "What is shown is up to date" : "What is shown may be out of date"},
    h("span.dot", {"aria-hidden": "true"}), live ? "Live" : "Not live",
  );
}

/** Draw what must be known wherever one is: that nothing is live, or that the daemon hangs. */
export function drawNotice() {
  const notice = document.getElementById("notice");
  const told = [];
  if (session.person && !stream.live && stream.since !== null) {
    told.push(h("p.lost", `Not connected since ${moment(stream.since / 1000)}. What is shown is as it was then; connecting again by itself. `,
      h("button.link", {type: "button", "data-act": "hurry"}, "Try now")));
  }
  if (session.person && stream.live && stream.hangs) {
    told.push(h("p.lost", "The daemon does not answer: its event loop stands still. Instruments can still be stopped here."));
  }
  if (session.person && stream.live && stream.unread) told.push(h("p.lost", `The store cannot be read now: ${stream.unread}`));
  morph(notice, h("div", {id: "notice", role: "status", "aria-live": "polite"}, told));
  document.documentElement.classList.toggle("stale", Boolean(session.person && !stream.live && stream.since !== null));
}

/** The attributes of a button that asks for a role: off, with the reason, where one does not have it. */
export function allowed(role, why = "") {
  if (session.may(role) && !why) return {};
  const reason = why || `Needs the role ${role}; yours is ${session.person?.role ?? "none"}`;
  return {"aria-disabled": "true", title: reason};
}
