/** Numbers, sizes and times as people read them, in the language of their browser. */

const whole = new Intl.NumberFormat();
const tenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export const count = (number) => whole.format(number);

/** `1`, "picture" → "1 picture"; `2` → "2 pictures". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** Bytes in decimal units, as file managers show them. */
export function bytes(number) {
  const power = number < 1000 ? 0 : Math.min(Math.floor(Math.log10(number) / 3), UNITS.length - 1);
  return `${tenth.format(number / 1000 ** power)} ${UNITS[power]}`;
}

/** Milliseconds, or seconds from one on. */
export function milliseconds(number) {
  return number < 1000
    ? `${tenth.format(number < 100 ? number : Math.round(number))}\u00a0ms`
    : seconds(number / 1000);
}

export function seconds(number) {
  return number < 120 ? `${tenth.format(number)}\u00a0s` : `${whole.format(Math.round(number / 60))}\u00a0min`;
}

/** A moment in the zone of the browser. */
export const moment = (iso) => dateAndTime.format(new Date(iso));

/** A capture time, which names no zone: shown as it stands, converted to none. */
export const captureTime = (text) => text.replace("T", " ");

/** The API's reasons begin in the middle of a sentence. */
export const sentence = (reason) => reason.charAt(0).toUpperCase() + reason.slice(1);

export const dimensions = (width, height) => `${width} × ${height}`;

/** Pixels as photographers count them. */
export function pixels(width, height) {
  return `${dimensions(width, height)}, ${tenth.format((width * height) / 1e6)} MP`;
}
