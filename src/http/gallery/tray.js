/** How the uploads are shown: a tray with a line for each that is on its way or was refused. */

import { announce } from "./announce.js";
import { byId, copyOf } from "./dom.js";
import { bytes, counted } from "./format.js";

/** More lines than these are only counted: a tray is no list of ten thousand files. */
const MOST_LINES = 40;

/** @param {import("./uploads.js").Uploads} uploads */
export function showUploads(uploads) {
  const tray = byId("tray");
  /** @type {Map<import("./uploads.js").Upload, HTMLElement>} */
  const lines = new Map();
  /** Since the tray was last done: how many there were, and how many of them the server has taken. */
  const batch = { total: 0, taken: 0, seen: new WeakSet() };
  let due = false;

  uploads.addEventListener("change", (event) => {
    // One that was refused before and is tried again belongs to the files of now.
    if (event.detail.state !== "refused" && !batch.seen.has(event.detail)) {
      batch.total += 1;
      batch.seen.add(event.detail);
    }
    // Progress comes in dozens a second; the eye takes one a frame.
    if (!due) requestAnimationFrame(show);
    due = true;
  });
  uploads.addEventListener("taken", (event) => {
    batch.taken += 1;
    // Its card has taken its place.
    uploads.remove(event.detail.upload);
  });
  byId("tray-fold").addEventListener("click", (event) => {
    const folded = tray.toggleAttribute("data-folded");
    event.currentTarget.setAttribute("aria-expanded", String(!folded));
  });
  byId("tray-clear").addEventListener("click", () => {
    for (const upload of uploads.all.filter((one) => one.state === "refused")) uploads.remove(upload);
  });

  function show() {
    due = false;
    const refused = uploads.count("refused");
    const open = uploads.all.length - refused;
    tray.hidden = uploads.all.length === 0;
    byId("tray-clear").hidden = refused === 0;
    const title = open > 0 ? `Uploading, ${counted(open, "file")} to go` : `${counted(refused, "file")} refused`;
    byId("tray-title").textContent = title;
    const sent = uploads.all.reduce(
      (sum, { state, sent }) => sum + (state === "sending" ? sent : 0),
      batch.total - open,
    );
    byId("tray-progress").value = batch.total === 0 ? 0 : sent / batch.total;
    byId("tray-progress").hidden = open === 0;
    showLines();
    if (open > 0) announce(title);
    else if (batch.total > 0) finish(refused);
  }

  function finish(refused) {
    const taken = `${counted(batch.taken, "file")} uploaded`;
    announce(refused > 0 ? `${taken}, ${refused} refused` : taken);
    Object.assign(batch, { total: 0, taken: 0, seen: new WeakSet() });
  }

  function showLines() {
    // What moves and what was refused comes first, what waits last.
    const rank = { sending: 0, refused: 1, waiting: 2, taken: 3 };
    const ordered = [...uploads.all].sort((a, b) => rank[a.state] - rank[b.state]);
    const shown = new Set(ordered.slice(0, MOST_LINES));
    for (const [upload, line] of lines) {
      if (shown.has(upload)) continue;
      line.remove();
      lines.delete(upload);
    }
    const list = byId("tray-lines");
    [...shown].forEach((upload, place) => {
      if (!lines.has(upload)) lines.set(upload, lineOf(upload));
      const line = lines.get(upload);
      update(line, upload);
      // Only what is not in its place is moved: a button that is moved loses the focus.
      if (list.children[place] !== line) list.insertBefore(line, list.children[place] ?? null);
    });
    const more = uploads.all.length - shown.size;
    byId("tray-more").hidden = more === 0;
    byId("tray-more").textContent = `and ${counted(more, "file")} more`;
  }

  function lineOf(upload) {
    const line = copyOf("upload-line");
    line.querySelector(".name").textContent = upload.file.name;
    line.querySelector(".again").addEventListener("click", () => uploads.repeat(upload));
    line.querySelector(".drop").addEventListener("click", () => uploads.remove(upload));
    return line;
  }
}

function update(line, upload) {
  const { state, sent, note, file } = upload;
  line.dataset.state = state;
  const progress = line.querySelector("progress");
  progress.hidden = state === "refused";
  progress.value = sent;
  progress.setAttribute("aria-label", `Upload of ${file.name}`);
  line.querySelector(".note").textContent = note || (state === "waiting" ? "Waits its turn" : bytes(file.size));
  line.querySelector(".again").hidden = !(state === "refused" && upload.repeatable);
  line
    .querySelector(".drop")
    .setAttribute("aria-label", state === "refused" ? `Dismiss ${file.name}` : `Cancel ${file.name}`);
}
