/**
 * Keeps the library current. An event of the server only wakes: what has changed is fetched anew, a few requests a
 * second however many events there are. Without a stream of events, the list is looked at from time to time.
 */

import { Refusal } from "./api.js";
import { connection } from "./connection.js";
import { readEvents } from "./event_stream.js";
import { keyChanges } from "./key.js";
import { LARGEST_PART } from "./library.js";

/** Between two rounds of looking. */
const ROUND = 500;
/** More pictures than these in one round: the newest part of the list is cheaper. */
const ONE_BY_ONE = 3;
/** How often to look without events: while something is being made, and while nothing is. */
const LOOK_OFTEN = 2000;
const LOOK_SELDOM = 15_000;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

export class Live {
  #library;
  /** Pictures with news, and whether the whole list has to be looked at. */
  #due = new Set();
  #allDue = false;
  #round = null;
  #lastEventId = null;
  #streaming = false;
  #stream = new AbortController();
  /** Before the stream is asked for again, in ms; and what ends that wait at once. */
  #wait = FIRST_WAIT;
  #hurry = () => {};

  /** @param {import("./library.js").Library} library */
  constructor(library) {
    this.#library = library;
  }

  start() {
    this.#follow();
    this.#look();
    // A page that nobody looks at holds no connection: a browser allows six to a server, for all its windows.
    document.addEventListener("visibilitychange", () => this.#restart());
    connection.addEventListener("down", () => this.#stream.abort());
    connection.addEventListener("up", () => this.wakeAll());
    keyChanges.addEventListener("change", () => this.#restart());
  }

  /** Something about this picture has changed. */
  wake(id) {
    if (this.#library.concerns(id)) this.#due.add(id);
    this.#schedule();
  }

  /** Anything may have changed. */
  wakeAll() {
    this.#allDue = true;
    this.#schedule();
  }

  #schedule() {
    if (this.#round === null && (this.#allDue || this.#due.size > 0)) {
      this.#round = setTimeout(() => this.#refresh(), ROUND);
    }
  }

  async #refresh() {
    const ids = [...this.#due];
    const all = this.#allDue || ids.length > ONE_BY_ONE;
    this.#due.clear();
    this.#allDue = false;
    await connection.whenUp();
    const waits = [];
    if (all) {
      const again = () => (this.#allDue = true);
      waits.push(await waitAfter(() => this.#library.refresh(), again));
    }
    // Those beyond the newest part of the list come one by one, in this round and the next ones.
    const beyond = all ? ids.filter((id) => this.#library.place(id) >= LARGEST_PART) : ids;
    beyond.slice(ONE_BY_ONE).forEach((id) => this.#due.add(id));
    const look = (id) =>
      waitAfter(
        () => this.#library.refreshOne(id),
        () => this.#due.add(id),
      );
    waits.push(...(await Promise.all(beyond.slice(0, ONE_BY_ONE).map(look))));
    await pause(Math.max(0, ...waits));
    this.#round = null;
    this.#schedule();
  }

  /** Follows the events, for as long as the page is there. */
  async #follow() {
    for (;;) {
      await connection.whenUp();
      await visible();
      this.#stream = new AbortController();
      try {
        await readEvents(
          "/api/events",
          this.#lastEventId,
          this.#stream.signal,
          () => this.#opened(),
          (event) => this.#take(event),
        );
        this.#wait = FIRST_WAIT;
      } catch (error) {
        if (this.#streaming) this.#wait = FIRST_WAIT;
        if (error instanceof Refusal) this.#wait = Math.max(this.#wait, (error.retryAfter ?? 0) * 1000);
        // It does not know this id, so it cannot go on from there.
        if (error.status === 400) this.#lastEventId = null;
      }
      this.#streaming = false;
      // Not all at once after a restart of the server.
      const wait = this.#wait * (0.5 + Math.random() / 2);
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
      await Promise.race([pause(wait), new Promise((resolve) => (this.#hurry = resolve))]);
    }
  }

  #opened() {
    this.#streaming = true;
    // What happened before the stream began is not in it.
    if (this.#lastEventId === null) this.wakeAll();
  }

  #take({ type, data, id }) {
    if (id !== null) this.#lastEventId = id;
    if (type === "reset") {
      this.wakeAll();
      return;
    }
    const { image_id: image } = JSON.parse(data);
    if (type === "deleted") this.#library.remove(image);
    else this.wake(image);
  }

  /** Without events: looks now and then. */
  async #look() {
    for (let idle = 0; ; idle += LOOK_OFTEN) {
      await pause(LOOK_OFTEN);
      await visible();
      const busy = this.#library.pictures.some((picture) => picture.status === "processing");
      if (this.#streaming || !connection.up || !(busy || idle >= LOOK_SELDOM)) continue;
      idle = 0;
      this.wakeAll();
    }
  }

  #restart() {
    this.#stream.abort();
    this.#wait = FIRST_WAIT;
    this.#hurry();
    if (!document.hidden) this.wakeAll();
  }
}

/**
 * Looks at something. What was not answered is looked at `again`: the server is gone or busy, or was asked for another
 * list meanwhile. What was refused for good is not; a refused key is followed by another look when there is another.
 * @returns {Promise<number>} the milliseconds to wait before
 */
async function waitAfter(look, again) {
  try {
    await look();
    return 0;
  } catch (error) {
    if (error instanceof Refusal && !error.passes && error.status < 500) return 0;
    again();
    return Math.max(LOOK_OFTEN, (error.retryAfter ?? 0) * 1000);
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
  });
}
