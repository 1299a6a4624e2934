/** One card: a picture or what stands for it, its name, its caption. */

import { copyOf } from "./dom.js";
import { dimensions, sentence } from "./format.js";
import { releasePicture, showPicture } from "./pictures.js";

/** The longest side of the small thumbnail. */
const SMALL = 128;

/** @param {{open: (id: number) => void, retry: (id: number) => void, stale: (id: number) => void}} actions */
export function makeCard(id, actions) {
  const card = copyOf("card");
  card.dataset.id = id;
  card.querySelector(".open").addEventListener("click", () => actions.open(id));
  card.querySelector(".retry").addEventListener("click", () => actions.retry(id));
  const image = card.querySelector("img");
  image.addEventListener("load", () => card.setAttribute("data-loaded", ""));
  image.addEventListener("error", () => {
    card.removeAttribute("data-loaded");
    // It was deleted, or the server is gone: the library finds out.
    actions.stale(id);
  });
  return card;
}

/** @param {import("./library.js").Picture} picture */
export function updateCard(card, picture, box) {
  place(card, box);
  const { original_name: name, status, caption, error } = picture;
  card.dataset.status = status;
  card.querySelector(".name").textContent = name;
  card.querySelector(".name").title = name;
  card.querySelector(".caption").textContent = secondLine(picture);
  card.querySelector(".why").textContent = status === "failed" ? sentence(error ?? "it failed") : "";
  card.querySelector(".retry").hidden = status !== "failed";
  card.querySelector(".retry").setAttribute("aria-label", `Try ${name} again`);
  card.querySelector(".open").setAttribute("aria-label", spoken(picture));
  const image = card.querySelector("img");
  image.alt = caption ?? name;
  const path = thumbnailFor(picture, box);
  image.hidden = path === null;
  if (path === null) {
    releasePicture(image);
    card.removeAttribute("data-loaded");
  } else {
    showPicture(image, path, picture.sha256);
  }
}

export function releaseCard(card) {
  releasePicture(card.querySelector("img"));
  card.remove();
}

/** Through the object model: the page's policy forbids style attributes, also our own. */
function place(card, { x, y, width, height }) {
  card.style.transform = `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px)`;
  card.style.width = `${width.toFixed(2)}px`;
  card.style.height = `${height.toFixed(2)}px`;
}

/** The small one where it fills the card on this screen. */
function thumbnailFor({ thumbnails: { small, medium } }, { width, height }) {
  const fits = Math.max(width, height) * window.devicePixelRatio <= SMALL;
  return fits ? (small ?? medium) : (medium ?? small);
}

function secondLine({ status, caption, width, height }) {
  if (status === "failed") return "Failed";
  if (caption !== null) return caption;
  if (status === "processing") return "In work";
  return width && height ? dimensions(width, height) : "";
}

function spoken({ original_name: name, status, caption, error }) {
  if (status === "failed") return `${name}, failed: ${error ?? ""}`;
  if (status === "processing") return `${name}, is being processed`;
  return caption ? `${name}: ${caption}` : name;
}
