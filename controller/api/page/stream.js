// Follows /v1/stream: says what has changed, whether the connection stands, and since when it does not. EventSource cannot send a
// token in a header, so the stream is read here.

import {send} from "./http.js";

const SILENCE = 16000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;

/** A connection that mends itself. Events: `news` (detail: what changed), `connection` (detail: {live, since}). */
export class Stream extends EventTarget {
  live = false;
  since = null;
  hangs = false;
  unread = "";
  offset = 0;
  #cursor = null;
  #stop = null;
  #pause = FIRST_PAUSE;
  #again = null;

  start() {
    if (this.#stop) return;
    this.#run();
  }

  stop() {
    this.#stop?.abort();
    this.#stop = null;
    clearTimeout(this.#again);
    this.#cursor = null;
  }

  /** Try at once, for example because the network is back. */
  hurry() {
    if (this.live || !this.#again) return;
    clearTimeout(this.#again);
    this.#pause = FIRST_PAUSE;
    this.#run();
  }

  /** The server's time now [ms since 1970]. */
  now() {
    return Date.now() + this.offset;
  }

  async #run() {
    const stop = (this.#stop = new AbortController());
    this.#again = null;
    let quiet;
    const heard = () => {
      clearTimeout(quiet);
      quiet = setTimeout(() => stop.abort(), SILENCE);
    };
    try {
      heard();
      const headers = {Accept: "text/event-stream", ...(this.#cursor ? {"Last-Event-ID": this.#cursor} : {})};
      const answer = await send("GET", "/stream", {headers, signal: stop.signal, flows: true});
      await this.#read(answer.body.getReader(), stop.signal, heard);
    } catch { /* told below */ }
    clearTimeout(quiet);
    if (this.#stop !== stop) return;
    this.#tell(false);
    this.#again = setTimeout(() => this.#run(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  async #read(reader, signal, heard) {
    const decoder = new TextDecoder();
    let text = "";
    signal.addEventListener("abort", () => reader.cancel().catch(() => {}));
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      heard();
      text += decoder.decode(value, {stream: true}).replaceAll("\r\n", "\n");
      let end;
      while ((end = text.indexOf("\n\n")) >= 0) {
        this.#take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  #take(block) {
    const event = {};
    for (const line of block.split("\n")) {
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name) event[name] = value;
    }
    if (event.event === "gone") {
      document.dispatchEvent(new CustomEvent("signed-out", {detail: JSON.parse(event.data).detail}));
      return;
    }
    if (event.event !== "news") return;
    const news = JSON.parse(event.data);
    this.#cursor = event.id;
    this.#pause = FIRST_PAUSE;
    this.offset = Date.parse(news.at) - Date.now();
    const trouble = this.hangs !== news.hangs || this.unread !== (news.unread ?? "");
    this.hangs = news.hangs;
    this.unread = news.unread ?? "";
    this.#tell(true, trouble);
    this.dispatchEvent(new CustomEvent("news", {detail: news}));
  }

  #tell(live, anyway = false) {
    if (this.live === live && this.since !== null && !anyway) return;
    if (this.live !== live || this.since === null) this.since = Date.now();
    this.live = live;
    this.dispatchEvent(new CustomEvent("connection", {detail: {live, since: this.since}}));
  }
}

export const stream = new Stream();
