/**
 * Shows pictures of the API in `<img>`: by their address, or, where a key has to be shown, by way of a blob. One that
 * does not come is tried again for as long as it is wanted.
 */

import { Refusal, fetchBlob } from "./api.js";
import { connection } from "./connection.js";
import { currentKey } from "./key.js";

/** Of a browser's six connections to a server, so many may fetch blobs. */
const AT_A_TIME = 3;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60_000;

/**
 * What each element shows or is about to.
 * @type {WeakMap<HTMLImageElement, {path: string, stop: AbortController, url: string | null, wait: number}>}
 */
const shown = new WeakMap();
const waiting = [];
let fetching = 0;

/**
 * @param {HTMLImageElement} image its `load` and `error` events tell how it went
 * @param {string} thumbnail its path
 * @param {string} sha256 of the original: browsers keep a thumbnail for a year, but another database at this address
 *   has other pictures under the same paths
 */
export function showPicture(image, thumbnail, sha256) {
  const path = `${thumbnail}?v=${sha256.slice(0, 12)}`;
  if (shown.get(image)?.path === path) return;
  releasePicture(image);
  const job = { path, stop: new AbortController(), url: null, wait: FIRST_WAIT };
  shown.set(image, job);
  image.addEventListener("error", () => tryLater(image, job), { signal: job.stop.signal });
  begin(image, job);
}

/** The element is done with: what it held is given back. */
export function releasePicture(image) {
  const job = shown.get(image);
  if (!job) return;
  shown.delete(image);
  job.stop.abort();
  empty(image, job);
}

function begin(image, job) {
  if (currentKey() === null) {
    image.src = job.path;
    return;
  }
  waiting.push({ image, job });
  fetchNext();
}

async function tryLater(image, job) {
  empty(image, job);
  const wait = Math.min(job.wait, LONGEST_WAIT);
  job.wait = wait * 2;
  await new Promise((resolve) => setTimeout(resolve, wait));
  await connection.whenUp();
  if (!job.stop.signal.aborted) begin(image, job);
}

function empty(image, job) {
  if (job.url !== null) URL.revokeObjectURL(job.url);
  job.url = null;
  image.removeAttribute("src");
}

function fetchNext() {
  while (fetching < AT_A_TIME && waiting.length > 0) {
    const { image, job } = waiting.shift();
    if (job.stop.signal.aborted) continue;
    fetching += 1;
    showBlob(image, job).finally(() => {
      fetching -= 1;
      fetchNext();
    });
  }
}

async function showBlob(image, job) {
  try {
    const blob = await fetchBlob(job.path, job.stop.signal);
    if (job.stop.signal.aborted) return;
    job.url = URL.createObjectURL(blob);
    image.src = job.url;
  } catch (error) {
    if (job.stop.signal.aborted) return;
    if (error instanceof Refusal) job.wait = Math.max(job.wait, (error.retryAfter ?? 0) * 1000);
    image.dispatchEvent(new Event("error"));
  }
}
