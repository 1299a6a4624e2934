/** The ways in: files are dropped on the page, picked, or pasted. */

import { note } from "./announce.js";
import { byId } from "./dom.js";
import { counted } from "./format.js";

/** @param {(files: File[]) => void} take what to do with them; content decides, so nothing is sorted out here */
export function acceptFiles(take) {
  const picker = byId("picker");
  for (const button of document.querySelectorAll("[data-pick]")) {
    button.addEventListener("click", () => picker.click());
  }
  picker.addEventListener("change", () => {
    take([...picker.files]);
    // The same file may be picked again.
    picker.value = "";
  });

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) take(files);
  });

  const veil = byId("veil");
  const withFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    // Leaving one element for another does not count; leaving the window does.
    if (event.relatedTarget === null) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    takeDropped(event.dataTransfer, take);
  });
}

/** Takes the files of a drop, those inside of folders too, as they are found. */
async function takeDropped(dropped, take) {
  // Both have to be asked for at once: the browser forgets them when the event is over.
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...dropped.files];
  if (!entries.some((entry) => entry.isDirectory)) {
    take(plain);
    return;
  }
  let unreadable = 0;
  while (entries.length > 0) {
    const entry = entries.shift();
    try {
      if (!entry.isFile) for await (const part of partsOf(entry)) entries.push(...part);
      else if (!keptBySystem(entry)) take([await new Promise((resolve, reject) => entry.file(resolve, reject))]);
    } catch {
      // Moved since, or not ours to read; the others are taken.
      unreadable += 1;
    }
  }
  if (unreadable > 0) note(`${counted(unreadable, "file")} could not be read.`, "failure");
}

/** What the system keeps in folders for itself. */
const keptBySystem = ({ name }) => name.startsWith(".") || name === "Thumbs.db";

/** A folder is read in parts, until one is empty. */
async function* partsOf(folder) {
  const reader = folder.createReader();
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    yield part;
  }
}
