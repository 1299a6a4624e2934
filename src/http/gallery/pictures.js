/** Shows pictures of the API in `<img>`: by their address, or, where a key has to be shown, by way of a blob. */

import { Refusal, fetchBlob } from "./api.js";
import { currentKey } from "./key.js";

/** Of a browser's six connections to a server, so many may fetch blobs. */
const AT_A_TIME = 3;
/** Seconds to wait where the server named none. */
const USUAL_WAIT = 2;

/**
 * What each element shows or is about to.
 * @type {WeakMap<HTMLImageElement, {path: string, stop: AbortController, url: string | null}>}
 */
const shown = new WeakMap();
const waiting = [];
let fetching = 0;

/** @param {HTMLImageElement} image its `load` and `error` events tell how it went */
export function showPicture(image, path) {
  if (shown.get(image)?.path === path) return;
  releasePicture(image);
  const job = { path, stop: new AbortController(), url: null };
  shown.set(image, job);
  if (currentKey() === null) {
    image.src = path;
    return;
  }
  queue(image, job);
}

/** The element is done with: what it held is given back. */
export function releasePicture(image) {
  const job = shown.get(image);
  if (!job) return;
  shown.delete(image);
  job.stop.abort();
  if (job.url !== null) URL.revokeObjectURL(job.url);
  image.removeAttribute("src");
}

function queue(image, job) {
  waiting.push({ image, job });
  fetchNext();
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
    if (error instanceof Refusal && error.passes) {
      setTimeout(() => queue(image, job), (error.retryAfter ?? USUAL_WAIT) * 1000);
    } else {
      shown.delete(image);
      image.dispatchEvent(new Event("error"));
    }
  }
}
