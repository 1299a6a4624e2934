/** The caption in the details: who said it, and what a person writes in its place. */

import { note } from "./announce.js";
import { call } from "./api.js";
import { byId } from "./dom.js";

const SOURCES = { ai: "Said by a model", human: "Written by a person" };

/** The image whose caption is shown. @type {{id: number, text: string} | null} */
let shown = null;

/** @param {() => void} changed is called when the caption of the image that is shown is another one */
export function captions(changed) {
  const form = byId("caption-form");
  byId("caption-edit").addEventListener("click", edit);
  byId("caption-cancel").addEventListener("click", stopEditing);
  byId("caption-withdraw").addEventListener("click", () => send("DELETE", undefined, "Your caption is taken back."));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send("PUT", { text: byId("caption-text").value }, "The caption is saved.");
  });
  form.addEventListener("keydown", (event) => {
    // Keys that turn the pages or close them are for writing here.
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    stopEditing();
  });

  async function send(method, body, done) {
    const { id } = shown;
    try {
      await call(`/api/images/${id}/caption`, { method, body });
    } catch (error) {
      note(error.message, "failure");
      return;
    }
    note(done);
    if (shown?.id === id) stopEditing();
    changed();
  }
}

/** Shows the caption of an image; who is writing one for it goes on. */
export function showCaption({ image_id: id, caption, caption_source: source }) {
  if (shown?.id !== id) stopEditing();
  shown = { id, text: caption ?? "" };
  byId("details-caption").textContent = shown.text;
  byId("caption-source").textContent = (caption && SOURCES[source]) ?? "";
  byId("caption-edit").textContent = caption ? "Edit caption" : "Write a caption";
  byId("caption-withdraw").hidden = source !== "human";
}

function edit() {
  byId("caption-form").hidden = false;
  byId("caption-edit").hidden = true;
  byId("caption-text").value = shown.text;
  byId("caption-text").focus();
}

function stopEditing() {
  const form = byId("caption-form");
  const wasInside = form.contains(document.activeElement);
  form.hidden = true;
  byId("caption-edit").hidden = false;
  if (wasInside) byId("caption-edit").focus();
}
