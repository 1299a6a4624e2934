/** Requests to the API: the key goes out, the envelope comes off, a server that is gone is noticed. */

import { connection } from "./connection.js";
import { askForKey, currentKey, keyHeaders } from "./key.js";

/**
 * How long an answer may take to begin, and then between two pieces of it: somewhat more than the server allows
 * itself. A large original may take as long as it needs.
 */
const PATIENCE = 15_000;

/** The server said no; `message` is its sentence. */
export class Refusal extends Error {
  /** @param {number | null} retryAfter seconds after which it makes sense to try again */
  constructor(status, code, sentence, retryAfter) {
    super(sentence);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may do better later. */
  get passes() {
    return this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** There was no answer. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached");
  }
}

/**
 * Calls the API and gives the `data` of the envelope; null where there is none.
 * @param {string} path
 * @param {{method?: string, body?: object, signal?: AbortSignal}} options `body` is sent as JSON
 */
export async function call(path, options = {}) {
  const response = await request(path, options);
  if (response.status === 204) return null;
  const { data } = await bodyOf(response);
  if (data === undefined) throw new Unreachable();
  return data;
}

/** A picture, where an address alone will not do because a key has to be shown. @returns {Promise<Blob>} */
export async function fetchBlob(path, signal) {
  const response = await request(path, { signal });
  try {
    return await response.blob();
  } catch (error) {
    throw asUnreachable(error, signal);
  }
}

/**
 * Sends a request, and asks for a key where one is wanted.
 * @returns {Promise<Response>} a good answer; all others are thrown
 */
async function request(path, { method = "GET", body, signal } = {}) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  for (;;) {
    const used = currentKey();
    const headers = { ...json, ...keyHeaders() };
    const response = await answer(path, { method, body: JSON.stringify(body), signal, headers });
    if (response.ok) return response;
    const refusal = refusalOf(response.status, await bodyOf(response), response.headers.get("retry-after"));
    if (refusal.status !== 401 || !(await anotherKey(used, refusal))) throw refusal;
  }
}

/** Whether there is another key than the one that was refused. */
export async function anotherKey(used, refusal) {
  return currentKey() !== used || askForKey(used === null ? "This server asks for a key." : refusal.message);
}

async function answer(path, { signal, ...rest }) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), PATIENCE);
  try {
    const stop = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    return watched(await fetch(path, { ...rest, signal: stop }), late);
  } catch (error) {
    throw asUnreachable(error, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** The same answer, but given up if its body stalls. */
function watched(response, late) {
  // Of some browsers, an answer without content has an empty body all the same, which no other may be made from.
  if (response.body === null || response.status === 204) return response;
  let timer = setTimeout(() => late.abort(), PATIENCE);
  const watch = new TransformStream({
    transform(piece, out) {
      clearTimeout(timer);
      timer = setTimeout(() => late.abort(), PATIENCE);
      out.enqueue(piece);
    },
    flush: () => clearTimeout(timer),
  });
  const { status, headers } = response;
  return new Response(response.body.pipeThrough(watch), { status, headers });
}

/** What a request that broke off means, unless it was called off. */
function asUnreachable(error, signal) {
  if (signal?.aborted) return error;
  connection.lost();
  return new Unreachable();
}

/** The envelope; what is none (a proxy's page, an answer that broke off) is as good as an empty one. */
async function bodyOf(response) {
  try {
    return (await response.json()) ?? {};
  } catch {
    return {};
  }
}

/** @returns {Refusal} what an answer that is no success means */
export function refusalOf(status, body, retryAfter) {
  const sentence = typeof body.error === "string" ? body.error : `The server answered with ${status}`;
  const wait = Number.parseInt(retryAfter ?? "", 10);
  return new Refusal(status, body.code ?? null, sentence, Number.isFinite(wait) && wait >= 0 ? wait : null);
}
