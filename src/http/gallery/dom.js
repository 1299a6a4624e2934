/** Building and finding elements. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Builds an element. Children that are no elements become text nodes, so nothing that is shown can become markup.
 * @param {string} name
 * @param {Record<string, string | number | boolean | EventListener | null>} attributes functions are listeners, named
 *   as `onclick` is; `true` is an attribute without a value; `null` and `false` leave it out
 * @param {...(Node | string | number | null)} children
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for a drawing. @returns {SVGElement} */
export function drawing(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(target, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") target.addEventListener(name.slice(2), value);
    else if (value === true) target.setAttribute(name, "");
    else if (value !== null && value !== false) target.setAttribute(name, String(value));
  }
  target.append(...children.filter((child) => child !== null && child !== undefined));
  return target;
}

/** A symbol of index.html; decoration only, its button carries the words. */
export function icon(name) {
  return drawing("svg", { class: "icon", "aria-hidden": "true" }, drawing("use", { href: `#icon-${name}` }));
}

/** @returns {HTMLElement} an element that index.html is known to have */
export const byId = (id) => document.getElementById(id);

/** A fresh copy of the first element of a template of index.html. @returns {HTMLElement} */
export const copyOf = (id) => byId(id).content.firstElementChild.cloneNode(true);
