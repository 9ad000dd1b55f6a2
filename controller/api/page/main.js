// Begins: who looks, which view, and what keeps it up to date.

import {act, listen} from "./actions.js";
import {runClocks, tick} from "./clocks.js";
import {closeDialogs} from "./dialog.js";
import {forgetAll, get, post} from "./http.js";
import {drawFrame, drawNotice} from "./parts/frame.js";
import "./parts/emergency.js";
import "./parts/steering.js";
import {place} from "./router.js";
import {session} from "./session.js";
import {stream} from "./stream.js";
import {Shown} from "./view.js";
import {loginView, recognise} from "./views/login.js";
import {views} from "./views/all.js";

const main = document.getElementById("main");
const shown = new Shown(main, views);
let tasks = 0;

/** Show what was asked for; the focus goes there too where somebody has just said who they are, else it stays at the beginning. */
async function enter(focus = true) {
  drawFrame(tasks);
  stream.start();
  countTasks();
  await shown.go(place(), {focus});
}

function leave(problem = null) {
  stream.stop();
  shown.leave();
  closeDialogs();
  session.forget();
  forgetAll();
  drawFrame();
  drawNotice();
  document.title = "Labwright";
  main.replaceChildren(loginView(problem, () => enter()));
  main.querySelector("#token").focus();
}

async function countTasks() {
  try {
    tasks = (await get("/tasks")).waiting;
  } catch {
    tasks = 0;
  }
  drawFrame(tasks);
}

window.addEventListener("hashchange", () => {
  closeDialogs();
  if (!session.person) return;
  drawFrame(tasks);
  shown.go(place());
});
window.addEventListener("online", () => stream.hurry());
document.addEventListener("visibilitychange", () => { if (!document.hidden) { stream.hurry(); tick(); } });
document.addEventListener("signed-out", ({detail}) => leave(detail));
document.addEventListener("drawn", tick);
document.addEventListener("changed", () => shown.refresh(0));
stream.addEventListener("connection", () => { drawFrame(tasks); drawNotice(); });
stream.addEventListener("news", ({detail: news}) => {
  if (news.anew || news.topics.includes("tasks")) countTasks();
  if (news.anew || shown.concerns(news)) shown.refresh();
});
act("again", () => shown.refresh(0));
act("hurry", () => stream.hurry());
act("sign-out", () => {
  post("/sign-out", undefined, {patience: 10000}).catch(() => {}); // a link's token ceases; where nobody answers it is forgotten here
  leave();
});
act("skip", () => main.focus());
act("theme", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("labwright-theme", root.dataset.theme); } catch { /* it holds until the page is closed */ }
});

listen();
runClocks();
drawFrame();
const {problem} = await recognise();
if (session.person) await enter(false);
else leave(problem);
