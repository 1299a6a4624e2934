/**
 * The cards on the page. Only those near the window exist, however long the list is; where each one is, `rows.js`
 * says, so that scrolling knows its length and nothing jumps.
 */

import { makeCard, releaseCard, updateCard } from "./card.js";
import { arrange, aspectOf } from "./rows.js";

const GAP = 14;
/** Height of the words below a picture; `cards.css` knows it as `--words`. */
const WORDS = 46;
/** The height that rows should have, by the width there is. */
const targetFor = (width) => (width < 480 ? 190 : width < 900 ? 200 : 240);

export class Grid {
  #list;
  #library;
  #actions;
  /** @type {import("./rows.js").Box[]} */
  #boxes = [];
  /**
   * The cards that exist, by id, and what each was last made from.
   * @type {Map<number, {card: HTMLElement, from: string}>}
   */
  #cards = new Map();
  #width = 0;
  #due = false;
  /** The card that the person was at last; the Tab key comes back to it, or to the first one. */
  #current = null;
  /**
   * The card that stays where it is while others come and go: its id, and where in the window its box began when the
   * person last scrolled or moved the focus. Were it chosen anew each time, rows that fill up would carry it away.
   * @type {{id: number, at: number} | null}
   */
  #anchor = null;
  /** Where this scrolled to by itself. */
  #scrolledTo = null;

  /**
   * @param {HTMLElement} list
   * @param {import("./library.js").Library} library
   * @param {Parameters<typeof makeCard>[1]} actions
   */
  constructor(list, library, actions) {
    this.#list = list;
    this.#library = library;
    this.#actions = actions;
    library.addEventListener("change", () => this.#rearrange());
    new ResizeObserver(() => this.#list.clientWidth !== this.#width && this.#rearrange()).observe(list);
    window.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    window.addEventListener("resize", () => this.#later(), { passive: true });
    list.addEventListener("keydown", (event) => this.#move(event));
    list.addEventListener("focusin", (event) => this.#focused(event));
  }

  /** Brings a card into view and gives it the focus. */
  focus(id) {
    const place = this.#library.place(id);
    if (place < 0) return;
    this.#current = id;
    this.#bringIntoView(place);
    this.#show();
    this.#cards.get(id)?.card.querySelector(".open").focus({ preventScroll: true });
  }

  #rearrange() {
    this.#width = this.#list.clientWidth;
    const measures = { width: this.#width, target: targetFor(this.#width), gap: GAP, words: WORDS };
    const { boxes, height } = arrange(this.#library.pictures.map(aspectOf), measures);
    this.#boxes = boxes;
    this.#list.style.height = `${height}px`;
    // What is kept in place must not glide there while the window is scrolled at once.
    this.#list.toggleAttribute("data-still", this.#anchor !== null);
    this.#keepInPlace();
    this.#show();
  }

  #scrolled() {
    if (window.scrollY !== this.#scrolledTo) this.#lookAt();
    this.#later();
  }

  /**
   * Remembers what the person is looking at: the card with the focus, or else the first one that is seen. At the top it
   * is none, as new pictures are welcome there.
   */
  #lookAt() {
    this.#anchor = null;
    const { top } = this.#list.getBoundingClientRect();
    if (top >= 0) return;
    // By the boxes, not by the cards, which may be gliding to their places.
    const seen = ({ y, height }) => top + y + height > 0 && top + y < window.innerHeight;
    const { pictures } = this.#library;
    const focused = pictures.findIndex((picture) => this.#holdsFocus(picture.image_id));
    const place = focused >= 0 && seen(this.#boxes[focused]) ? focused : this.#boxes.findIndex(seen);
    if (place >= 0) this.#anchor = { id: pictures[place].image_id, at: top + this.#boxes[place].y };
  }

  #keepInPlace() {
    if (this.#anchor === null) return;
    const { id, at } = this.#anchor;
    // Where it was deleted, the next one takes its place.
    const place = this.#library.pictures.findIndex((picture) => picture.image_id <= id);
    if (place < 0) return;
    const off = this.#list.getBoundingClientRect().top + this.#boxes[place].y - at;
    if (Math.abs(off) <= 1) return;
    window.scrollBy({ top: off, behavior: "instant" });
    this.#scrolledTo = window.scrollY;
  }

  #later() {
    if (!this.#due) requestAnimationFrame(() => this.#show());
    this.#due = true;
  }

  /** Makes the cards exist that are within a screen of the window, and no others. */
  #show() {
    this.#due = false;
    const { pictures } = this.#library;
    const top = -this.#list.getBoundingClientRect().top;
    const screen = window.innerHeight;
    const wanted = new Set();
    pictures.forEach((picture, place) => {
      const box = this.#boxes[place];
      if (!box) return;
      const near = box.y + box.height > top - screen && box.y < top + 2 * screen;
      if (near || this.#holdsFocus(picture.image_id)) wanted.add(place);
    });
    const ids = new Set([...wanted].map((place) => pictures[place].image_id));
    for (const [id, { card }] of this.#cards) {
      if (!ids.has(id)) this.#release(id, card);
    }
    const tabStop = ids.has(this.#current) ? this.#current : ids.values().next().value;
    let before = null;
    for (const place of wanted) before = this.#showCard(place, before, tabStop);
  }

  #showCard(place, before, tabStop) {
    const picture = this.#library.pictures[place];
    const { image_id: id } = picture;
    const box = this.#boxes[place];
    const known = this.#cards.get(id);
    const from = JSON.stringify([picture, box]);
    const card = known?.card ?? makeCard(id, this.#actions);
    if (known?.from !== from) updateCard(card, picture, box);
    this.#cards.set(id, { card, from });
    card.querySelector(".open").tabIndex = id === tabStop ? 0 : -1;
    card.setAttribute("aria-posinset", String(place + 1));
    card.setAttribute("aria-setsize", String(this.#library.hasMore ? -1 : this.#library.pictures.length));
    // The order of the document is the order on the page; what is in its place already keeps its focus.
    const next = before === null ? this.#list.firstElementChild : before.nextElementSibling;
    if (next !== card) this.#list.insertBefore(card, next);
    return card;
  }

  #release(id, card) {
    // The focus goes to the card that takes the place of one that vanishes, not to the top of the page.
    const heir = card.contains(document.activeElement)
      ? (card.nextElementSibling ?? card.previousElementSibling)
      : null;
    releaseCard(card);
    this.#cards.delete(id);
    heir?.querySelector(".open").focus({ preventScroll: true });
  }

  #holdsFocus(id) {
    return this.#cards.get(id)?.card.contains(document.activeElement) ?? false;
  }

  #focused(event) {
    const id = Number(event.target.closest(".card")?.dataset.id);
    if (!id) return;
    this.#lookAt();
    if (id === this.#current) return;
    this.#current = id;
    for (const [other, { card }] of this.#cards) card.querySelector(".open").tabIndex = other === id ? 0 : -1;
  }

  /** Arrow keys, Home and End go from card to card. */
  #move(event) {
    const place = this.#library.place(Number(event.target.closest(".card")?.dataset.id));
    if (place < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const last = this.#boxes.length - 1;
    const places = {
      ArrowLeft: place - 1,
      ArrowRight: place + 1,
      ArrowUp: this.#below(place, -1),
      ArrowDown: this.#below(place, 1),
      Home: 0,
      End: last,
    };
    const to = places[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to <= last) this.focus(this.#library.pictures[to].image_id);
  }

  /** The card of the next row (1) or the one before (-1) that lies closest to the middle of this one. */
  #below(place, direction) {
    const middle = ({ x, width }) => x + width / 2;
    const from = this.#boxes[place];
    let row = place;
    while (this.#boxes[row]?.y === from.y) row += direction;
    if (!this.#boxes[row]) return place;
    let best = row;
    for (let other = row; this.#boxes[other]?.y === this.#boxes[row].y; other += direction) {
      const off = (box) => Math.abs(middle(box) - middle(from));
      if (off(this.#boxes[other]) < off(this.#boxes[best])) best = other;
    }
    return best;
  }

  #bringIntoView(place) {
    const box = this.#boxes[place];
    const top = this.#list.getBoundingClientRect().top + box.y;
    const header = document.querySelector(".top").getBoundingClientRect().bottom + GAP;
    if (top < header) window.scrollBy({ top: top - header, behavior: "instant" });
    else if (top + box.height > window.innerHeight) {
      window.scrollBy({ top: top + box.height - window.innerHeight + GAP, behavior: "instant" });
    }
  }
}
