// What waits for a person.

import {h} from "../dom.js";
import {get} from "../http.js";
import {head} from "../parts/pieces.js";

export const tasks = {
  concerns: (news) => news.topics.includes("instruments") || news.campaigns.length > 0,

  async draw() {
    let waiting = [];
    try {
      waiting = (await get("/tasks")).tasks;
    } catch (problem) {
      if (problem.status !== 404) throw problem;
    }
    return {title: "Tasks", content: [head("Tasks"), h("p.empty", waiting.length ? `${waiting.length} wait.` : "Nobody waits for a person.")]};
  },
};
