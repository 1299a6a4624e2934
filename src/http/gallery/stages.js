/** How long each stage of the work waited and ran, as bars on one scale. */

import { element } from "./dom.js";
import { milliseconds, sentence } from "./format.js";

const NAMES = { metadata: "Metadata", thumbnails: "Thumbnails", caption: "Caption" };
const STATES = { waiting: "waits", running: "runs", success: "done", failed: "failed", skipped: "skipped" };

/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {"waiting" | "running" | "success" | "failed" | "skipped"} status
 * @property {number} attempts
 * @property {number | null} queue_ms
 * @property {number | null} run_ms
 * @property {string | null} error
 */

/** @param {Stage[]} stages @returns {HTMLElement} */
export function stageBars(stages) {
  const longest = Math.max(...stages.map(lasting), 1);
  return element("ul", { class: "stages" }, ...stages.map((stage) => stageBar(stage, longest)));
}

const lasting = ({ queue_ms: queue, run_ms: run }) => (queue ?? 0) + (run ?? 0);

function stageBar(stage, longest) {
  const { name, status, queue_ms: queue, run_ms: run, error } = stage;
  const bar = element(
    "div",
    { class: "bar", "aria-hidden": "true" },
    part("queue", queue, longest),
    part("run", run, longest),
  );
  return element(
    "li",
    { "data-status": status, "data-stage": name },
    element("span", { class: "stage" }, NAMES[name] ?? name),
    element("span", { class: "took" }, inWords(stage)),
    bar,
    error === null ? null : element("p", { class: "why" }, sentence(error)),
  );
}

function part(kind, lasted, longest) {
  const shown = element("span", { class: kind });
  shown.style.width = `${((lasted ?? 0) / longest) * 100}%`;
  return shown;
}

/** The bar in words: for those who do not see it, and for those who want to know. */
function inWords({ status, attempts, queue_ms: queue, run_ms: run }) {
  const words = [status === "success" && run !== null ? milliseconds(run) : STATES[status]];
  if (queue !== null && status !== "skipped") words.push(`waited ${milliseconds(queue)}`);
  if (attempts > 1) words.push(`attempt ${attempts}`);
  return words.join(", ");
}
