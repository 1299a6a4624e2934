/** The caption in the details: who said it, and what a person writes in its place. */

import { note } from "./announce.js";
import { call } from "./api.js";
import { byId } from "./dom.js";

const SOURCES = { ai: "Said by a model", human: "Written by a person", embedded: "Said by the file" };

/** The image whose caption is shown. @type {{id: number, text: string} | null} */
let shown = null;
/** What was written and neither saved nor given up, by image. @type {Map<number, string>} */
const drafts = new Map();

/** @param {(id: number) => Promise<void>} changed is called when an image has another caption */
export function captions(changed) {
  const form = byId("caption-form");
  byId("caption-edit").addEventListener("click", edit);
  byId("caption-cancel").addEventListener("click", giveUp);
  byId("caption-withdraw").addEventListener("click", () => send("DELETE", undefined, "Your caption is taken back."));
  byId("caption-text").addEventListener("input", ({ target }) => {
    drafts.set(shown.id, target.value);
    complain("");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send("PUT", { text: byId("caption-text").value }, "The caption is saved.");
  });
  form.addEventListener("keydown", (event) => {
    // Keys that turn the pages or close them are for writing here.
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    giveUp();
  });

  async function send(method, body, done) {
    const { id } = shown;
    const sent = drafts.get(id);
    const focused = document.activeElement;
    busy(true);
    try {
      await call(`/api/images/${id}/caption`, { method, body });
    } catch (error) {
      if (shown.id === id) complain(error.message);
      else note(error.message, "failure");
      return;
    } finally {
      busy(false);
      // A button that is disabled drops the focus, and with it the keys.
      if (shown.id === id && form.contains(focused)) focused.focus();
    }
    note(done);
    // What was written meanwhile stays.
    if (drafts.get(id) === sent) {
      drafts.delete(id);
      if (shown.id === id) close();
    }
    await changed(id).catch((error) => note(error.message, "failure"));
  }
}

/** Shows the caption of an image; who is writing one for it goes on, also after looking at others. */
export function showCaption({ image_id: id, caption, caption_source: source }) {
  const isOther = shown?.id !== id;
  shown = { id, text: caption ?? "" };
  byId("details-caption").textContent = shown.text;
  byId("caption-source").textContent = (caption && SOURCES[source]) ?? "";
  byId("caption-edit").textContent = caption ? "Edit caption" : "Write a caption";
  byId("caption-withdraw").hidden = source !== "human";
  if (!isOther) return;
  close();
  if (drafts.has(id)) open();
}

function edit() {
  open();
  byId("caption-text").focus();
}

function open() {
  byId("caption-form").hidden = false;
  byId("caption-edit").hidden = true;
  byId("caption-text").value = drafts.get(shown.id) ?? shown.text;
}

function giveUp() {
  drafts.delete(shown.id);
  close();
}

function close() {
  const form = byId("caption-form");
  const wasInside = form.contains(document.activeElement);
  form.hidden = true;
  complain("");
  byId("caption-edit").hidden = false;
  if (wasInside) byId("caption-edit").focus();
}

function complain(sentence) {
  byId("caption-trouble").textContent = sentence;
  byId("caption-text").toggleAttribute("aria-invalid", sentence !== "");
}

function busy(isBusy) {
  for (const button of byId("caption-form").querySelectorAll("button")) button.disabled = isBusy;
}
