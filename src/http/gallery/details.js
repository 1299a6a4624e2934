/** The detail view: one picture, all that is known of it, and what can be done with it. */

import { confirmed, note } from "./announce.js";
import { call, fetchBlob } from "./api.js";
import { captions, showCaption } from "./caption.js";
import { showDeliveries } from "./deliveries.js";
import { byId, element } from "./dom.js";
import { exifOf, factsOf, remarksOf } from "./facts.js";
import { counted } from "./format.js";
import { currentKey } from "./key.js";
import { summaryOf } from "./library.js";
import { releasePicture, showPicture } from "./pictures.js";
import { hideSimilar, showSimilar } from "./similar.js";
import { stageBars } from "./stages.js";

const ADDRESS = /^#image-(\d+)$/;
const STATES = { processing: "Being processed", success: "Ready", failed: "Failed" };

export class Details {
  #library;
  #dialog = byId("details");
  #picture = byId("details-picture");
  /** The id of the image that is shown. */
  #id = null;
  /** Whether going back in the browser's history closes it. */
  #pushed = false;
  #onClose;

  /**
   * @param {import("./library.js").Library} library
   * @param {{retry: (id: number) => Promise<void>, closed: (id: number) => void}} actions
   */
  constructor(library, { retry, closed }) {
    this.#library = library;
    this.#onClose = closed;
    byId("details-retry").addEventListener("click", () => retry(this.#id));
    byId("details-delete").addEventListener("click", () => this.#delete());
    byId("details-original").addEventListener("click", (event) => this.#download(event));
    byId("details-close").addEventListener("click", () => this.#dialog.close());
    byId("details-before").addEventListener("click", () => this.#step(-1));
    byId("details-after").addEventListener("click", () => this.#step(1));
    captions(async (id) => {
      library.put(summaryOf(await call(`/api/images/${id}`)));
      if (id === this.#id) await this.#load();
    });
    this.#dialog.addEventListener("keydown", (event) => this.#keys(event));
    this.#dialog.addEventListener("close", () => this.#closed());
    // A click on the ground around it, which is the dialog's own box, closes it.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    library.addEventListener("changed", (event) => event.detail === this.#id && this.#load());
    library.addEventListener("change", () => this.#id !== null && this.#showSteps());
    window.addEventListener("popstate", () => this.followAddress());
  }

  /** Shows what the address names: a link to a picture can be kept and sent. */
  followAddress() {
    const id = Number(ADDRESS.exec(location.hash)?.[1] ?? Number.NaN);
    if (Number.isSafeInteger(id)) this.#show(id);
    else if (this.#dialog.open) this.#dialog.close();
  }

  open(id) {
    if (this.#dialog.open) {
      history.replaceState(null, "", `#image-${id}`);
    } else {
      history.pushState(null, "", `#image-${id}`);
      this.#pushed = true;
    }
    this.#show(id);
  }

  #show(id) {
    if (this.#id === id) return;
    this.#id = id;
    this.#library.watched = id;
    releasePicture(this.#picture);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#dialog.querySelector(".about").scrollTop = 0;
    const known = this.#library.pictures[this.#library.place(id)];
    hideSimilar();
    byId("details-body").replaceChildren();
    if (known) this.#showHead(known);
    else
      this.#showHead({
        image_id: id,
        original_name: `Image ${id}`,
        status: "processing",
        thumbnails: {},
        caption: null,
      });
    this.#showSteps();
    this.#load();
  }

  /** Looks at the image again; an answer that comes after another was opened is thrown away. */
  async #load() {
    const id = this.#id;
    try {
      const image = await call(`/api/images/${id}`);
      if (id !== this.#id) return;
      this.#showHead(image);
      const webhooks = element("section");
      this.#showBody(image, webhooks);
      showDeliveries(id, webhooks);
      if (image.status === "success")
        showSimilar(
          id,
          () => id === this.#id,
          (other) => this.open(other),
        );
    } catch (error) {
      if (id !== this.#id) return;
      if (error.status === 404) {
        note("The picture is gone: it was deleted.");
        this.#dialog.close();
        this.#library.remove(id);
      } else {
        byId("details-state").textContent = error.message;
      }
    }
  }

  #showHead(image) {
    const { image_id: id, original_name: name, status, thumbnails, sha256, caption, error } = image;
    const { metadata, width, height } = image;
    byId("details-title").textContent = name;
    this.#dialog.dataset.status = status;
    showCaption(image);
    byId("details-state").textContent =
      status === "failed" ? `Failed: ${error ?? "no reason is known"}` : STATES[status];
    byId("details-original").href = `/api/images/${id}/original`;
    this.#picture.alt = caption ?? name;
    const [across, down] = [metadata?.width ?? width, metadata?.height ?? height];
    // Known before the picture is there, so that nothing jumps; it is never shown larger than it is.
    if (across && down) {
      const scale = Math.min(512 / Math.max(across, down), 1);
      this.#picture.width = Math.max(Math.round(across * scale), 1);
      this.#picture.height = Math.max(Math.round(down * scale), 1);
    }
    this.#picture.hidden = !thumbnails.medium;
    if (thumbnails.medium) showPicture(this.#picture, thumbnails.medium, sha256);
    byId("details-retry").hidden = status !== "failed";
  }

  #showBody(image, webhooks) {
    const captionFailed = image.stages.some(({ name, status }) => name === "caption" && status === "failed");
    byId("details-retry").hidden = image.status !== "failed" && !captionFailed;
    byId("details-retry").textContent = image.status === "failed" ? "Try again" : "Try the caption again";
    const remarks = remarksOf(image);
    const exif = exifOf(image);
    const fields = counted(Object.keys(image.metadata?.exif ?? {}).length, "field");
    byId("details-body").replaceChildren(
      section("Stages", stageBars(image.stages)),
      ...(remarks ? [section("Noticed", remarks)] : []),
      section("Facts", factsOf(image)),
      webhooks,
      ...(exif ? [element("details", { open: true }, element("summary", {}, `Exif, ${fields}`), exif)] : []),
    );
  }

  #showSteps() {
    const place = this.#library.place(this.#id);
    const focused = document.activeElement;
    byId("details-before").disabled = place <= 0;
    byId("details-after").disabled =
      place < 0 || (place === this.#library.pictures.length - 1 && !this.#library.hasMore);
    // A button that is disabled drops the focus out of the dialog, and with it the keys.
    if (focused?.disabled && this.#dialog.contains(focused)) this.#dialog.querySelector(".about").focus();
  }

  async #step(by) {
    const place = this.#library.place(this.#id);
    if (place < 0) return;
    if (place + by >= this.#library.pictures.length) await this.#library.more();
    const next = this.#library.pictures[place + by];
    if (next) this.open(next.image_id);
  }

  #keys(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "ArrowRight") this.#step(1);
    else if (event.key === "Delete") this.#delete();
    else return;
    event.preventDefault();
  }

  async #delete() {
    const id = this.#id;
    const name = byId("details-title").textContent;
    const warning = `${name}, its thumbnails and all that is known of it will be gone for good.`;
    if (!(await confirmed("Delete this picture?", warning, "Delete"))) return;
    try {
      await call(`/api/images/${id}`, { method: "DELETE" });
    } catch (error) {
      if (error.status !== 404) {
        note(error.message, "failure");
        return;
      }
    }
    const place = this.#library.place(id);
    const next = this.#library.pictures[place + 1] ?? this.#library.pictures[place - 1];
    if (this.#id === id) {
      this.#id = next?.image_id ?? null;
      this.#dialog.close();
    }
    this.#library.remove(id);
    note(`${name} was deleted.`);
  }

  /** A link cannot carry a key; where one is needed, the original is fetched and handed over. */
  async #download(event) {
    if (currentKey() === null) return;
    event.preventDefault();
    try {
      const url = URL.createObjectURL(await fetchBlob(`/api/images/${this.#id}/original`));
      element("a", { href: url, download: byId("details-title").textContent }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      note(error.message, "failure");
    }
  }

  #closed() {
    const id = this.#id;
    this.#id = null;
    this.#library.watched = null;
    releasePicture(this.#picture);
    hideSimilar();
    if (ADDRESS.test(location.hash)) {
      if (this.#pushed) history.back();
      else history.replaceState(null, "", location.pathname);
    }
    this.#pushed = false;
    this.#onClose(id);
  }
}

function section(title, content) {
  return element("section", {}, element("h3", {}, title), content);
}
