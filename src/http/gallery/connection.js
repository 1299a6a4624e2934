/** Whether the server can be reached. Whoever notices that it cannot says so here; here it is tried again. */

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 15_000;
const PROBE_PATIENCE = 4000;

/** Events: `down` (gone), `waiting` (next try in `detail` ms), `trying`, `up` (back). */
class Connection extends EventTarget {
  up = true;
  #wake = () => {};

  /** The server did not answer. */
  lost() {
    if (!this.up) return;
    this.up = false;
    this.dispatchEvent(new Event("down"));
    this.#restore();
  }

  /** Resolves when the server answers; at once if it does. */
  whenUp() {
    if (this.up) return Promise.resolve();
    return new Promise((resolve) => this.addEventListener("up", () => resolve(), { once: true }));
  }

  /** Does not wait for the next try. */
  tryNow() {
    this.#wake();
  }

  async #restore() {
    for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      this.dispatchEvent(new CustomEvent("waiting", { detail: wait }));
      await this.#sleep(wait);
      this.dispatchEvent(new Event("trying"));
      if (await answers()) break;
    }
    this.up = true;
    this.dispatchEvent(new Event("up"));
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Any answer will do: what else is wrong, the requests themselves are told. */
async function answers() {
  try {
    await fetch("/livez", { signal: AbortSignal.timeout(PROBE_PATIENCE), cache: "no-store" });
    return true;
  } catch {
    return false;
  }
}

export const connection = new Connection();
window.addEventListener("online", () => connection.tryNow());
