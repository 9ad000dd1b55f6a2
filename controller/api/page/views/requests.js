// Who asked what of the controllers, and what became of it.

import {h} from "../dom.js";
import {words} from "../format.js";
import {get} from "../http.js";
import {badge, head, table, when} from "../parts/pieces.js";

export const requests = {
  concerns: (news) => news.topics.includes("requests"),

  async draw() {
    const rows = (await get("/requests?limit=200")).requests.toReversed();
    return {
      title: "Requests",
      content: [
        head("Requests", {under: h("p.under", "What people asked of the controllers, the newest first. Stops of instruments go past them, and are in the daemon's log.")}),
        table("Requests", [
          {title: "Asked", cell: (row) => when(row.asked_at)},
          {title: "What", cell: (row) => words(row.verb)},
          {title: "By", cell: (row) => row.by},
          {title: "Answer", cell: (row) => (row.ok === null ? badge("waiting") : [badge(row.ok ? "done" : "refused"), h("span.setting", ` ${row.answer ?? ""}`)])},
        ], rows, {key: (row) => row.id, none: "Nobody has asked anything yet."}),
      ],
    };
  },
};
