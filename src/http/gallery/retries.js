/** Failed pictures are tried again: one, or all that are shown. */

import { note } from "./announce.js";
import { call } from "./api.js";
import { byId } from "./dom.js";
import { counted } from "./format.js";
import { summaryOf } from "./library.js";

/** @param {import("./library.js").Library} library */
export function retries(library) {
  async function retry(id) {
    await call(`/api/images/${id}/retry`, { method: "POST" });
    library.put(summaryOf(await call(`/api/images/${id}`)));
  }

  async function retryAll() {
    const button = byId("retry-all");
    const failed = library.pictures.filter((picture) => picture.status === "failed");
    let begun = 0;
    button.disabled = true;
    try {
      // One by one: each is a request, and the others on the page shall not wait for them.
      for (const { image_id: id } of failed) {
        await retry(id).then(() => (begun += 1), unless(409, 404));
      }
      note(`${counted(begun, "picture")} will be tried again.`);
    } catch (error) {
      note(error.message, "failure");
    } finally {
      button.disabled = false;
    }
  }

  byId("retry-all").addEventListener("click", retryAll);
  return {
    async retry(id) {
      try {
        await retry(id);
      } catch (error) {
        note(error.message, "failure");
      }
    },
  };
}

/** Somebody else was faster: retried it already, or deleted it. */
function unless(...statuses) {
  return (error) => {
    if (!statuses.includes(error.status)) throw error;
  };
}
