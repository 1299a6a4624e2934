/** The gallery: its parts are put together here, and nowhere else. */

import { note, speakAboveDialogs } from "./announce.js";
import { showConnection } from "./banner.js";
import { Details } from "./details.js";
import { byId } from "./dom.js";
import { acceptFiles } from "./drop.js";
import { acceptFilters } from "./filters.js";
import { Grid } from "./grid.js";
import { askAnyway, currentKey, keyChanges } from "./key.js";
import { Library, freshPicture } from "./library.js";
import { Live } from "./live.js";
import { retries } from "./retries.js";
import { showStates } from "./states.js";
import { showUploads } from "./tray.js";
import { Uploads } from "./uploads.js";
import { showVitals } from "./vitals.js";

const library = new Library();
const uploads = new Uploads();
const live = new Live(library);
const { retry } = retries(library);
// Before the grid, which measures the list that this makes visible.
showStates(library, () => filters.clear());
const details = new Details(library, { retry, closed: (id) => grid.focus(id) });
const grid = new Grid(byId("pictures"), library, {
  open: (id) => details.open(id),
  retry,
  stale: (id) => live.wake(id),
});

speakAboveDialogs();
showConnection();
showUploads(uploads);
const filters = acceptFilters(library);
acceptFiles((files) => uploads.add(files));

// What was taken has its card at once; what becomes of it, the server tells.
uploads.addEventListener("taken", ({ detail: { answer } }) => {
  library.put(freshPicture(answer));
  live.wake(answer.image_id);
});
window.addEventListener("beforeunload", (event) => {
  if (uploads.count("sending") + uploads.count("waiting") > 0) event.preventDefault();
});

library.addEventListener("trouble", ({ detail: error }) => note(error.message, "failure"));

const showKey = () => (byId("key").hidden = currentKey() === null && library.failure?.status !== 401);
library.addEventListener("change", showKey);
keyChanges.addEventListener("change", () => {
  showKey();
  // Other pictures may be seen with another key, and what was fetched with the old one is given back.
  library.show(library.filter);
});
byId("key").addEventListener("click", () => askAnyway("Requests to this server carry this key."));

await library.show(library.filter);
live.start();
showVitals();
details.followAddress();
