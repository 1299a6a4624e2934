/** What the whole is doing: figures and curves of `/api/stats`, asked for every few seconds while one looks. */

import { call } from "./api.js";
import { connection } from "./connection.js";
import { byId } from "./dom.js";
import { bytes, count, milliseconds, seconds } from "./format.js";
import { sparkline } from "./sparkline.js";

const EVERY = 3000;
/** Three minutes. */
const PLACES = 60;

/** @type {{throughput: number[], p50: (number | null)[], p95: (number | null)[]}} */
const past = { throughput: [], p50: [], p95: [] };

/** Begins to show them. */
export async function showVitals() {
  for (;;) {
    if (!document.hidden) {
      await connection.whenUp();
      try {
        show(await call("/api/stats"));
        byId("vitals").removeAttribute("data-stale");
      } catch {
        // What is shown is from before.
        byId("vitals").setAttribute("data-stale", "");
      }
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

function show(stats) {
  const { total_images: total, successful, failed, processing } = stats;
  for (const [status, number] of Object.entries({ "": total, success: successful, failed, processing })) {
    document.querySelector(`[data-filter="${status}"] .number`).textContent = count(number);
  }
  // The stage that a person waits for; captions depend on somebody else.
  const made = stats.stages.thumbnails;
  const known = made && made.count > 0;
  remember("throughput", stats.last_minute);
  remember("p50", known ? made.p50_ms : null);
  remember("p95", known ? made.p95_ms : null);

  byId("throughput-now").textContent = count(stats.last_minute);
  byId("throughput-curve").replaceChildren(sparkline([{ values: past.throughput, kind: "main" }], PLACES));
  byId("latency-now").textContent = known ? milliseconds(made.p50_ms) : "–";
  byId("latency-high").textContent = known ? milliseconds(made.p95_ms) : "–";
  const curves = [
    { values: past.p95, kind: "high" },
    { values: past.p50, kind: "main" },
  ];
  byId("latency-curve").replaceChildren(sparkline(curves, PLACES));

  const waiting =
    stats.queue_depth === 0 ? "none" : `${count(stats.queue_depth)}, for ${seconds(stats.oldest_waiting_seconds)}`;
  byId("waiting-now").textContent = waiting;
  byId("stored-now").textContent = bytes(stats.stored_bytes);
}

function remember(name, value) {
  past[name].push(value);
  if (past[name].length > PLACES) past[name].shift();
}
