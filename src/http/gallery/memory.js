/** What the browser keeps for us. It may refuse (private windows, blocked storage); then nothing is kept. */

/** @typedef {"localStorage" | "sessionStorage"} Area */

/** @returns {string | null} */
export function recall(/** @type {Area} */ area, name) {
  try {
    return window[area].getItem(`darkroom.${name}`);
  } catch {
    return null;
  }
}

/** Keeps a text, or forgets it if it is null. */
export function keep(/** @type {Area} */ area, name, text) {
  try {
    if (text === null) window[area].removeItem(`darkroom.${name}`);
    else window[area].setItem(`darkroom.${name}`, text);
  } catch {
    // Not kept, then: the page works without, until it is closed.
  }
}
