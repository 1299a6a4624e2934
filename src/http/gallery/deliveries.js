/** Who is told of an image by a webhook, and how that went. */

import { call } from "./api.js";
import { element } from "./dom.js";
import { counted, moment, sentence } from "./format.js";

const STATES = { waiting: "waits", running: "is being sent", delivered: "was received", failed: "was given up" };

/**
 * Fills a place on the page, which stays empty if nobody is told.
 * @param {number} id
 * @param {HTMLElement} place
 */
export async function showDeliveries(id, place) {
  let deliveries = [];
  try {
    ({ deliveries } = await call(`/api/images/${id}/deliveries`));
  } catch {
    // The server is busy or gone, or the image is; all else on the page says so.
  }
  if (deliveries.length === 0) return;
  place.append(element("h3", {}, "Webhooks"), element("ul", { class: "remarks" }, ...deliveries.map(itemOf)));
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
