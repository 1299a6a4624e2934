/** What is said: to screen readers, in moderation; and to everybody, as a short note that goes away. */

import { byId, element } from "./dom.js";

/** Between two sentences to a screen reader; of what comes sooner, only the last is said. */
const MODERATION = 4000;
const NOTE_STAYS = 7000;

let pending = null;
let nextAt = 0;

/** Says something that is seen on the page anyway. */
export function announce(sentence) {
  const waits = pending !== null;
  pending = sentence;
  if (waits) return;
  setTimeout(
    () => {
      byId("announcer").textContent = pending;
      pending = null;
      nextAt = Date.now() + MODERATION;
    },
    Math.max(nextAt - Date.now(), 100),
  );
}

/**
 * Keeps what is said within the uppermost open dialog: the page behind it is covered, and inert to screen readers too.
 * Each dialog can only be opened above those that stand before it in the document.
 */
export function speakAboveDialogs() {
  const move = () => {
    const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
    for (const spoken of [byId("notes"), byId("announcer")]) {
      if (spoken.parentElement !== place) place.append(spoken);
    }
  };
  new MutationObserver(move).observe(document.body, { subtree: true, attributeFilter: ["open"] });
}

/** Shows a note for some seconds. @param {"plain" | "failure"} tone */
export function note(sentence, tone = "plain") {
  const shown = element("p", { class: "note", "data-tone": tone }, sentence);
  const notes = byId("notes");
  notes.append(shown);
  while (notes.children.length > 3) notes.firstElementChild.remove();
  setTimeout(() => shown.remove(), NOTE_STAYS);
}

/** Asks whether to go on. @returns {Promise<boolean>} */
export function confirmed(title, sentence, word) {
  const dialog = byId("confirm-dialog");
  byId("confirm-title").textContent = title;
  byId("confirm-sentence").textContent = sentence;
  byId("confirm-yes").textContent = word;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
