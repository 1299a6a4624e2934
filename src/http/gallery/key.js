/** The API key: asked for when the server wants one, kept for this tab or, if the person says so, this browser. */

import { keep, recall } from "./memory.js";
import { byId } from "./dom.js";

let key = recall("sessionStorage", "key") ?? recall("localStorage", "key");
/** The dialog that is open, as a promise; several refused requests ask once. @type {Promise<boolean> | null} */
let asking = null;
/** Who closed the dialog is not asked again by every request that follows. */
let declined = false;

/** Events: `change` (another key, or none). */
export const keyChanges = new EventTarget();

/** @returns {string | null} */
export const currentKey = () => key;

/** What a request has to carry. */
export const keyHeaders = () => (key === null ? {} : { Authorization: `Bearer ${key}` });

/** Asks for a key; resolves to whether there is another one now. */
export function askForKey(reason) {
  if (declined) return Promise.resolve(false);
  asking ??= openDialog(reason).finally(() => (asking = null));
  return asking;
}

/** Asks whether or not it was declined before: the person wants to. */
export function askAnyway(reason) {
  declined = false;
  return askForKey(reason);
}

export function forgetKey() {
  set(null, false);
}

function openDialog(reason) {
  const dialog = byId("key-dialog");
  const field = byId("key-field");
  byId("key-reason").textContent = reason;
  field.value = "";
  byId("key-forget").hidden = key === null;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue === "use" && field.value.trim()) set(field.value.trim(), byId("key-keep").checked);
        else if (dialog.returnValue === "forget") forgetKey();
        else declined = true;
        // The word stays nowhere but where it was asked to be kept.
        const answered = dialog.returnValue === "use";
        field.value = "";
        resolve(answered);
      },
      { once: true },
    );
  });
}

function set(next, forBrowser) {
  key = next;
  declined = false;
  keep("sessionStorage", "key", forBrowser ? null : next);
  keep("localStorage", "key", forBrowser ? next : null);
  keyChanges.dispatchEvent(new Event("change"));
}
