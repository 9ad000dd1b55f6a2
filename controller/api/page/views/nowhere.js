// An address that leads nowhere.

import {h} from "../dom.js";
import {head} from "../parts/pieces.js";

export const nowhere = {
  async draw() {
    return {title: "Not found", content: [head("There is nothing here"), h("p", "The address names no view. ", h("a", {href: "#/"}, "All campaigns"))]};
  },
};
