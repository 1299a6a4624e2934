/** One upload on its way: XMLHttpRequest, because fetch does not tell how far it is. */

import { Refusal, Unreachable, anotherKey, refusalOf } from "./api.js";
import { currentKey, keyHeaders } from "./key.js";

/** A transfer that does not move for this long is given up. The server has less patience. */
const STALL = 60_000;

/**
 * Sends a file once.
 * @param {File} file
 * @param {string} idempotencyKey the same for each try, so that a retry after a lost answer cannot double
 * @param {(sent: number) => void} onProgress told the part that is sent, 0 to 1
 * @param {AbortSignal} signal
 * @returns {Promise<{image_id: number, original_name: string, status: string}>}
 * @throws {Refusal | Unreachable}
 */
export async function transfer(file, idempotencyKey, onProgress, signal) {
  for (;;) {
    const used = currentKey();
    const { status, body, retryAfter } = await send(file, idempotencyKey, onProgress, signal);
    if (status === 202 && body.data) return body.data;
    const refusal = refusalOf(status, body, retryAfter);
    if (status !== 401 || !(await anotherKey(used, refusal))) throw refusal;
  }
}

function send(file, idempotencyKey, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    let stalled = setTimeout(() => request.abort(), STALL);
    const moved = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request.abort(), STALL);
    };
    const stop = () => request.abort();
    signal.addEventListener("abort", stop, { once: true });
    request.upload.addEventListener("progress", (event) => {
      moved();
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("loadend", () => {
      clearTimeout(stalled);
      signal.removeEventListener("abort", stop);
      if (signal.aborted) reject(signal.reason);
      else if (request.status === 0) reject(new Unreachable());
      else resolve(answerOf(request));
    });
    request.open("POST", "/api/images");
    request.setRequestHeader("Idempotency-Key", idempotencyKey);
    for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
    request.send(form);
  });
}

function answerOf(request) {
  let body = {};
  try {
    body = JSON.parse(request.responseText) ?? {};
  } catch {
    // No envelope: the status says enough.
  }
  return { status: request.status, body, retryAfter: request.getResponseHeader("retry-after") };
}

/** A key that no other upload has. `crypto.randomUUID` is not there over plain HTTP from another machine. */
export function newIdempotencyKey() {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  return `gallery-${Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("")}`;
}
