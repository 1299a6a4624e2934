/** Who is told of an image by a webhook, and how that went. */

import { call } from "./api.js";
import { element } from "./dom.js";
import { counted, moment, sentence } from "./format.js";

const STATES = { waiting: "waits", running: "is being sent", delivered: "was received", failed: "was given up" };

/** @returns {Promise<HTMLElement | null>} null if nobody is told, or if that cannot be said now */
export async function deliveriesOf(id) {
  try {
    const { deliveries } = await call(`/api/images/${id}/deliveries`);
    return deliveries.length === 0 ? null : element("ul", { class: "remarks" }, ...deliveries.map(itemOf));
  } catch {
    return null;
  }
}

function itemOf({ event, url, status, next_attempt_at: next, attempts }) {
  const words = [`${event} ${STATES[status] ?? status}`];
  if (attempts.length > 0) words.push(counted(attempts.length, "attempt"));
  if (next !== null) words.push(`next one on ${moment(next)}`);
  const last = attempts.at(-1);
  return element(
    "li",
    { "data-status": status },
    words.join(", "),
    element("p", { class: "aside" }, url),
    last?.error ? element("p", { class: "why" }, sentence(last.error)) : null,
  );
}
