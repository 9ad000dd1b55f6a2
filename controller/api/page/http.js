// Asks the server: with the token, with what is known already (ETag), and with problems told in the server's own words.

import {session} from "./session.js";

const PATIENCE = 30000;
const KEPT = 40;
const kept = new Map();

/** What could not be done: `detail` is for people, `status` 0 where nobody answered. */
export class Problem extends Error {
  constructor(status, detail, body = null, after = 0) {
    super(detail);
    this.status = status;
    this.body = body;
    this.after = after;
  }
}

/** Return what is at a path below /v1; the same object as before where nothing has changed. */
export async function get(path) {
  const known = kept.get(path);
  const answer = await patiently(() => send("GET", path, {headers: known ? {"If-None-Match": known.tag} : {}}));
  if (answer.status === 304) return remember(path, known);
  const content = await answer.json();
  const tag = answer.headers.get("etag");
  if (tag) remember(path, {tag, content});
  return content;
}

/** Ask again, a few times, where the server is only busy. */
async function patiently(ask, times = 3) {
  for (;;) {
    try {
      return await ask();
    } catch (problem) {
      if (![429, 503].includes(problem.status) || times-- === 0) throw problem;
      await new Promise((resolve) => { setTimeout(resolve, Math.min(5000, 1000 * (problem.after || 1)) * (0.5 + Math.random())); });
    }
  }
}

function remember(path, entry) {
  kept.delete(path);
  kept.set(path, entry);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return entry.content;
}

export function forgetAll() {
  kept.clear();
}

/** Ask for a change; the answer's body with `status`. Raises Problem. */
export async function post(path, body = undefined, {patience = 90000} = {}) {
  const options = body === undefined ? {} : {body: JSON.stringify(body), headers: {"Content-Type": "application/json"}};
  const answer = await send("POST", path, {...options, patience});
  return {...(await answer.json()), status: answer.status};
}

/**
 * Make one request; raises Problem where it is not answered, or answered with a problem. An answer has come when all of it has: one
 * that breaks off in the middle would be waited for without end. Only one that `flows` is returned as it begins.
 */
export async function send(method, path, {headers = {}, body, patience = PATIENCE, signal, flows = false} = {}) {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), patience);
  signal?.addEventListener("abort", () => stop.abort());
  let answer;
  try {
    answer = await fetch(`/v1${path}`, {
      method, body, signal: stop.signal, cache: "no-store", credentials: "omit", redirect: "error",
      headers: {...(session.token ? {Authorization: `Bearer ${session.token}`} : {}), ...headers},
    });
    if (!flows) await answer.clone().arrayBuffer();
  } catch {
    throw new Problem(0, "the server does not answer");
  } finally {
    clearTimeout(late);
  }
  if (answer.ok || answer.status === 304) return answer;
  const told = await answer.json().catch(() => ({}));
  const after = Number(answer.headers.get("retry-after"));
  const problem = new Problem(answer.status, told.detail ?? `the server answers with status ${answer.status}`, told, after);
  if (answer.status === 401 && session.token) document.dispatchEvent(new CustomEvent("signed-out", {detail: problem.message}));
  throw problem;
}
