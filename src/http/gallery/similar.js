/** Pictures that look like this one, where the server knows of any. */

import { call } from "./api.js";
import { byId, element } from "./dom.js";
import { releasePicture, showPicture } from "./pictures.js";

const MOST = 12;

/** Nothing is like the picture that is shown, as far as is known. */
export function hideSimilar() {
  byId("details-similar").hidden = true;
  byId("details-similar-list").querySelectorAll("img").forEach(releasePicture);
  byId("details-similar-list").replaceChildren();
}

/**
 * @param {number} id
 * @param {() => boolean} stillWanted whether the view still shows that image
 * @param {(id: number) => void} open
 */
export async function showSimilar(id, stillWanted, open) {
  let images = [];
  try {
    ({ images } = await call(`/api/images/${id}/similar?limit=${MOST}`));
  } catch {
    // Nothing to compare with yet, or a server that cannot: there is no strip, then.
  }
  if (!stillWanted()) return;
  hideSimilar();
  byId("details-similar").hidden = images.length === 0;
  const items = images.slice(0, MOST).map(({ image }) => itemOf(image, open));
  byId("details-similar-list").replaceChildren(...items);
}

function itemOf({ image_id: id, original_name: name, thumbnails, sha256 }, open) {
  const image = element("img", { alt: name, loading: "lazy" });
  if (thumbnails?.small) showPicture(image, thumbnails.small, sha256);
  return element("li", {}, element("button", { type: "button", title: name, onclick: () => open(id) }, image));
}
