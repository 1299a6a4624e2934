/**
 * The pictures that are known to the page, newest first, as far as they were asked for. The server decides what is
 * true; this follows it. Who shows them listens to `change`.
 */

import { call } from "./api.js";

/** What fills a large screen twice; further parts are fetched as one scrolls. */
const PART = 60;
/** The most that the API gives at once: to see what has changed since. */
export const LARGEST_PART = 200;

/**
 * @typedef {object} Picture an image of the API's list
 * @property {number} image_id
 * @property {string} original_name
 * @property {"processing" | "success" | "failed"} status
 * @property {number | null} width
 * @property {number | null} height
 * @property {{small: string | null, medium: string | null}} thumbnails
 * @property {string} [sha256] of the original; an upload that was just taken has none yet
 * @property {string | null} caption
 * @property {string | null} error
 */

/**
 * Events: `change` (list or state), `changed` (the details of the id in `detail` may be others now), `trouble` (the
 * next part did not come, error in `detail`).
 */
export class Library extends EventTarget {
  /** @type {Picture[]} */
  pictures = [];
  filter = { status: "", q: "" };
  /** @type {"loading" | "ready" | "failed"} */
  state = "loading";
  /** @type {Error | null} */
  failure = null;
  /** The picture that is looked at in the details, be it in the list or not. @type {number | null} */
  watched = null;
  #nextCursor = null;
  #loading = Promise.resolve();
  #loadingMore = false;
  /** Those that were deleted, as an answer may be older than the deletion. No id is given twice. */
  #removed = new Set();
  /** Answers to questions that were asked before the filter changed are thrown away. */
  #question = new AbortController();

  /** Whether the server has more than what is here. */
  get hasMore() {
    return this.state === "ready" && this.#nextCursor !== null;
  }

  get isFiltered() {
    return this.filter.status !== "" || this.filter.q !== "";
  }

  place(id) {
    return this.pictures.findIndex((picture) => picture.image_id === id);
  }

  async show(filter) {
    this.filter = filter;
    this.#question.abort();
    this.#question = new AbortController();
    this.pictures = [];
    this.#nextCursor = null;
    this.#loadingMore = false;
    this.#removed.clear();
    this.#loading = this.#load();
    await this.#loading;
  }

  /** The next part of the list. */
  async more() {
    if (!this.hasMore || this.#loadingMore) return;
    this.#loadingMore = true;
    const { signal } = this.#question;
    const cursor = this.#nextCursor;
    try {
      const part = await this.#ask({ limit: PART, cursor });
      // The list began anew meanwhile.
      if (this.#nextCursor !== cursor) return;
      this.#nextCursor = part.next_cursor;
      this.#merge(part.images);
    } catch (error) {
      if (!signal.aborted) this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
    } finally {
      if (!signal.aborted) this.#loadingMore = false;
    }
  }

  /** Looks at the newest pictures again; what else is known stays, unless too much came in between. */
  async refresh() {
    // The answer that is on its way may be older than the news.
    while (this.state === "loading") await this.#loading;
    if (this.state === "failed") {
      await this.#begin();
      return;
    }
    const { signal } = this.#question;
    const newest = this.pictures[0]?.image_id ?? 0;
    const part = await this.#ask({ limit: LARGEST_PART });
    if (signal.aborted) return;
    const oldest = part.images.at(-1)?.image_id ?? 0;
    const reaches = part.next_cursor === null || this.pictures.some((picture) => picture.image_id >= oldest);
    const older = reaches && part.next_cursor !== null ? this.pictures.filter((one) => one.image_id < oldest) : [];
    if (older.length === 0) this.#nextCursor = part.next_cursor;
    const before = textsOf(this.pictures);
    // Uploaded while the answer was on its way.
    const newer = this.pictures.filter((one) => one.image_id > newest);
    this.pictures = older;
    this.#merge([...newer, ...part.images]);
    const now = textsOf(this.pictures);
    const unseen = this.watched !== null && !part.images.some((picture) => picture.image_id === this.watched);
    for (const id of new Set([...before.keys(), ...now.keys(), this.watched])) {
      if (before.get(id) !== now.get(id) || (id === this.watched && unseen)) this.#news(id);
    }
  }

  /** Looks at one picture again. */
  async refreshOne(id) {
    const { signal } = this.#question;
    try {
      const image = await call(`/api/images/${id}`, { signal });
      this.put(summaryOf(image));
    } catch (error) {
      if (error.status !== 404) throw error;
      this.remove(id);
    }
  }

  /** Whether news of this picture concern what is here. */
  concerns(id) {
    return id === this.watched || this.#reaches(id);
  }

  /** Whether it would be in the list as far as that was asked for. */
  #reaches(id) {
    return this.#nextCursor === null || id >= (this.pictures.at(-1)?.image_id ?? 0);
  }

  /** @param {Picture} picture as it is now: it takes its place, or leaves if the filter no longer wants it */
  put(picture) {
    if (this.#wants(picture)) {
      if (this.#reaches(picture.image_id)) this.#merge([picture]);
    } else {
      this.#drop(picture.image_id);
    }
    this.#news(picture.image_id);
  }

  /** It was deleted. */
  remove(id) {
    this.#removed.add(id);
    this.#drop(id);
    this.#news(id);
  }

  async #load() {
    const { signal } = this.#question;
    this.state = "loading";
    this.#tell();
    try {
      await this.#begin();
    } catch (error) {
      if (signal.aborted) return;
      this.state = "failed";
      this.failure = error;
      this.#tell();
    }
  }

  /** Fetches the first part of the list. */
  async #begin() {
    const part = await this.#ask({ limit: PART });
    this.state = "ready";
    this.#nextCursor = part.next_cursor;
    this.#merge(part.images);
  }

  #ask({ limit, cursor = null }) {
    const query = new URLSearchParams({ limit });
    if (cursor !== null) query.set("cursor", cursor);
    for (const [name, value] of Object.entries(this.filter)) {
      if (value !== "") query.set(name, value);
    }
    return call(`/api/images?${query}`, { signal: this.#question.signal });
  }

  #wants({ status, original_name: name }) {
    const { status: wanted, q } = this.filter;
    return (wanted === "" || status === wanted) && name.toLowerCase().includes(q.toLowerCase());
  }

  #merge(pictures) {
    const byId = new Map(this.pictures.map((picture) => [picture.image_id, picture]));
    for (const picture of pictures) byId.set(picture.image_id, picture);
    const known = [...byId.values()].filter((picture) => !this.#removed.has(picture.image_id));
    this.pictures = known.sort((a, b) => b.image_id - a.image_id);
    this.#tell();
  }

  #drop(id) {
    const place = this.place(id);
    if (place < 0) return;
    this.pictures = this.pictures.toSpliced(place, 1);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  #news(id) {
    this.dispatchEvent(new CustomEvent("changed", { detail: id }));
  }
}

/** What is known of each, to be compared. @param {Picture[]} pictures @returns {Map<number, string>} */
const textsOf = (pictures) => new Map(pictures.map((picture) => [picture.image_id, JSON.stringify(picture)]));

/** The details of an image, in the form of the list. @returns {Picture} */
export function summaryOf({ metadata, ...image }) {
  return { ...image, width: metadata?.width ?? null, height: metadata?.height ?? null };
}

/** An upload that was just taken, before anything is known of it. @returns {Picture} */
export function freshPicture({ image_id, original_name, status }) {
  const nothing = { width: null, height: null, caption: null, error: null };
  return { image_id, original_name, status, ...nothing, thumbnails: { small: null, medium: null } };
}
