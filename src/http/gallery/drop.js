/** The ways in: files are dropped on the page, picked, or pasted. */

import { byId } from "./dom.js";

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
  document.addEventListener("drop", async (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    take(await droppedFiles(event.dataTransfer));
  });
}

/** The files of a drop, those inside of folders too. */
async function droppedFiles(dropped) {
  // Both have to be asked for at once: the browser forgets them when the event is over.
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...dropped.files];
  if (!entries.some((entry) => entry.isDirectory)) return plain;
  const files = [];
  while (entries.length > 0) {
    const entry = entries.shift();
    if (entry.isFile) files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    else entries.push(...(await entriesOf(entry)));
  }
  // What the system keeps in folders for itself.
  return files.filter((file) => !file.name.startsWith(".") && file.name !== "Thumbs.db");
}

/** A folder is read in parts, until one is empty. */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return entries;
    entries.push(...part);
  }
}
