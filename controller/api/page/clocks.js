// Times that run while nothing else changes: <time data-until="…"> and <time data-since="…">, in real seconds since 1970 by the
// server's clock. They are told to screen readers only when they are looked for.

import {duration} from "./format.js";
import {stream} from "./stream.js";

/** What is late by less may have ended meanwhile: a controller tells every few seconds what has [s]. */
const DUE = 5;

export function tick() {
  const now = stream.now() / 1000;
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Number(element.dataset.until) - now;
    const text = left >= 0.5 ? `${duration(left)} left` : left > -DUE ? "due now" : `${duration(-left)} over its usual time`;
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = `${duration(now - Number(element.dataset.since))}${element.dataset.after ?? ""}`;
    if (element.textContent !== text) element.textContent = text;
  }
  for (const bar of document.querySelectorAll("progress[data-from]")) {
    const from = Number(bar.dataset.from), to = Number(bar.dataset.to);
    if (to > from) bar.value = Math.max(0, Math.min(1, (now - from) / (to - from)));
  }
}

export function runClocks() {
  tick();
  setInterval(tick, 1000);
}
