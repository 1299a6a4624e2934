/** Server-sent events over fetch: unlike EventSource, it can show a key and tells why it failed. */

import { Refusal, refusalOf } from "./api.js";
import { keyHeaders } from "./key.js";

/** The server sends a comment every 15 seconds; a stream silent for longer than this is dead. */
const SILENCE = 40_000;

/**
 * @typedef {object} ServerEvent
 * @property {string} type
 * @property {string} data
 * @property {string | null} id
 */

/**
 * Reads a stream until it ends.
 * @param {string} path
 * @param {string | null} lastEventId where an earlier stream ended
 * @param {AbortSignal} signal
 * @param {() => void} onOpen
 * @param {(event: ServerEvent) => void} onEvent
 * @throws {Refusal} if the server said no; another error if the connection broke
 */
export async function readEvents(path, lastEventId, signal, onOpen, onEvent) {
  const headers = { Accept: "text/event-stream", ...keyHeaders() };
  if (lastEventId !== null) headers["Last-Event-ID"] = lastEventId;
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE);
  try {
    const stopped = AbortSignal.any([signal, silence.signal]);
    const response = await fetch(path, { headers, signal: stopped, cache: "no-store" });
    if (!response.ok) {
      throw refusalOf(response.status, await response.json().catch(() => ({})), response.headers.get("retry-after"));
    }
    // A proxy may answer with a page of its own.
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      throw new Refusal(response.status, null, "The server sends no events", null);
    }
    onOpen();
    const parse = parser(onEvent);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE);
      parse(value);
    }
  } finally {
    clearTimeout(timer);
    // Whatever was wrong: the connection is not kept.
    silence.abort();
  }
}

/** Takes a stream in pieces as they come (WHATWG HTML, 9.2.6) and gives its events. */
export function parser(onEvent) {
  let rest = "";
  let fields = { type: "message", data: [], id: null };
  return (piece) => {
    rest += piece;
    // A carriage return at the end may be half of a line's end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line !== "") {
        read(line, fields);
        continue;
      }
      if (fields.data.length > 0) onEvent({ ...fields, data: fields.data.join("\n") });
      fields = { type: "message", data: [], id: null };
    }
  };
}

function read(line, fields) {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "data") fields.data.push(value);
  else if (name === "event") fields.type = value;
  else if (name === "id" && !value.includes("\0")) fields.id = value;
}
