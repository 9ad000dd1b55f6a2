// Numbers, units, times and words as people read them.

/** A number with four significant digits. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(3).replace("e+", "e");
  return String(Number(value.toPrecision(4)));
}

/** A setting as it is shown: where a value is nothing but what a calculation left (2e-16 of a mixture), 0. */
export function settled(setting, specs = {}) {
  return Object.fromEntries(Object.entries(setting).map(([name, value]) => [name, isNothing(value, specs[name]) ? 0 : value]));
}

function isNothing(value, spec) {
  if (typeof value !== "number" || spec?.type !== "continuous" || spec.scale === "log") return false;
  const [low, high] = spec.bounds;
  return low <= 0 && high >= 0 && Math.abs(value) < 1e-8 * (high - low);
}

/** A unit as people write it: `kg/m**3/h` is kg/m³/h. */
export function unit(text) {
  if (!text) return "";
  return {degC: "°C", percent: "%"}[text] ?? text.replaceAll("**2", "²").replaceAll("**3", "³").replaceAll("degC", "°C");
}

/** A value with its unit. */
export function quantity(value, of) {
  const short = unit(of);
  return typeof value === "number" && short ? `${number(value)} ${short}` : number(value);
}

/** A size as people read it: 12.3 kB. */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  const power = Math.min(3, Math.floor(Math.log10(size) / 3));
  return `${Number((size / 1000 ** power).toPrecision(3))} ${["kB", "MB", "GB"][power - 1]}`;
}

export function words(name) {
  return String(name).replaceAll("_", " ");
}

export function plural(n, noun, many = `${noun}s`) {
  return `${n} ${n === 1 ? noun : many}`;
}

/** A length of time: 42 s, 3 min 05 s, 2 h 10 min, 3 d 4 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});
const DAY = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit"});
const YEAR = new Intl.DateTimeFormat("en-GB", {year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit"});

/** A moment (ISO text, or seconds since 1970) by the clock of whoever looks; the day is named unless it is `today`'s. */
export function moment(at, today = new Date()) {
  if (at === null || at === undefined) return "–";
  const date = new Date(typeof at === "number" ? at * 1000 : at);
  if (date.toDateString() === today.toDateString()) return CLOCK.format(date);
  return (date.getFullYear() === today.getFullYear() ? DAY : YEAR).format(date);
}

export function seconds(at) {
  return at === null || at === undefined ? null : Date.parse(at) / 1000;
}

export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}
