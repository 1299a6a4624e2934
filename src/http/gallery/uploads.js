/** The uploads: a queue, three on their way at a time, tried again where that can help. */

import { Refusal, Unreachable } from "./api.js";
import { connection } from "./connection.js";
import { newIdempotencyKey, transfer } from "./transfer.js";

const AT_A_TIME = 3;
/** Seconds to wait where the server named none. */
const USUAL_WAIT = 2;
const LONGEST_WAIT = 60;
/** So often may a connection break off although the server answers: it then breaks off because of this file. */
const BROKEN_OFF = 3;

/**
 * @typedef {object} Upload
 * @property {File} file
 * @property {string} key
 * @property {"waiting" | "sending" | "taken" | "refused"} state
 * @property {number} sent 0 to 1
 * @property {string} note what is said beside it: a refusal, or why it waits
 * @property {boolean} repeatable whether a person may want to try it again
 * @property {number} brokenOff
 * @property {AbortController} cancel
 */

/** Events: `change` (the upload in `detail`), `taken` (upload and answer in `detail`). */
export class Uploads extends EventTarget {
  /** @type {Upload[]} */
  all = [];
  #sending = 0;
  /** Until this moment the server wants no further upload. */
  #pausedUntil = 0;

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) {
      const upload = { file, key: newIdempotencyKey(), state: "waiting", sent: 0, note: "", repeatable: false };
      this.all.push({ ...upload, brokenOff: 0, cancel: new AbortController() });
      this.#changed(this.all.at(-1));
    }
    this.#next();
  }

  /** Takes an upload out, wherever it stands. What the server has taken already, it keeps. */
  remove(upload) {
    upload.cancel.abort();
    this.all = this.all.filter((other) => other !== upload);
    this.#changed(upload);
  }

  repeat(upload) {
    Object.assign(upload, { state: "waiting", note: "", sent: 0, brokenOff: 0 });
    this.#changed(upload);
    this.#next();
  }

  count(state) {
    return this.all.filter((upload) => upload.state === state).length;
  }

  #next() {
    while (this.#sending < AT_A_TIME) {
      const upload = this.all.find((other) => other.state === "waiting");
      if (!upload) return;
      this.#sending += 1;
      upload.state = "sending";
      this.#send(upload).finally(() => {
        this.#sending -= 1;
        this.#changed(upload);
        this.#next();
      });
    }
  }

  async #send(upload) {
    while (upload.state === "sending") {
      try {
        await this.#mayGo(upload);
        this.#say(upload, "");
        const answer = await transfer(
          upload.file,
          upload.key,
          (sent) => this.#progress(upload, sent),
          upload.cancel.signal,
        );
        upload.state = "taken";
        this.dispatchEvent(new CustomEvent("taken", { detail: { upload, answer } }));
      } catch (error) {
        await this.#failed(upload, error);
      }
    }
  }

  /** Waits for the server, and for as long as it asked. */
  async #mayGo(upload) {
    if (!connection.up) {
      this.#say(upload, "Waits for the server");
      await connection.whenUp();
    }
    for (let left; (left = this.#pausedUntil - Date.now()) > 0 && !upload.cancel.signal.aborted;) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(left, 500)));
    }
    upload.cancel.signal.throwIfAborted();
  }

  async #failed(upload, error) {
    upload.sent = 0;
    if (upload.cancel.signal.aborted) {
      upload.state = "refused";
    } else if (error instanceof Refusal && error.passes) {
      const wait = Math.min(error.retryAfter ?? USUAL_WAIT, LONGEST_WAIT);
      this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + wait * 1000);
      this.#say(upload, `${error.message}. Waits ${wait} s`);
    } else if (error instanceof Unreachable && (await readable(upload.file))) {
      upload.brokenOff += 1;
      if (upload.brokenOff > BROKEN_OFF) this.#refuse(upload, "The connection broke off each time", true);
      else connection.lost();
    } else if (error instanceof Unreachable) {
      this.#refuse(upload, "The file cannot be read any more", false);
    } else {
      // A full volume, a missing key and a fault of the server may be mended; a file that is no picture stays one.
      const repeatable =
        !(error instanceof Refusal) || [401, 403, 507].includes(error.status) || error.status === 500;
      this.#refuse(upload, error.message, repeatable);
    }
  }

  #refuse(upload, note, repeatable) {
    Object.assign(upload, { state: "refused", note, repeatable });
    this.#changed(upload);
  }

  #progress(upload, sent) {
    upload.sent = sent;
    this.#changed(upload);
  }

  #say(upload, note) {
    upload.note = note;
    this.#changed(upload);
  }

  #changed(upload) {
    this.dispatchEvent(new CustomEvent("change", { detail: upload }));
  }
}

/** Whether the file is still there: one that was moved since makes a transfer fail as if the server were gone. */
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
