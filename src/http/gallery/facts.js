/** What is known about an image, as tables: what was read from the file, and what was noticed about it. */

import { element } from "./dom.js";
import { bytes, captureTime, moment, pixels } from "./format.js";

/** Exif fields that photographers look for first; the others follow by name. */
const FIRST = ["Make", "Model", "LensModel", "FNumber", "ExposureTime", "PhotographicSensitivity", "FocalLength"];

/** @param {object} image the details that the API gives */
export function factsOf(image) {
  const { metadata } = image;
  const rows = [["Uploaded", moment(image.created_at)]];
  if (image.completed_at) rows.push(["Finished", moment(image.completed_at)]);
  if (metadata) rows.push(...factsOfFile(metadata));
  rows.push(["Image", String(image.image_id)], ["SHA-256", image.sha256]);
  return table(rows);
}

function factsOfFile(metadata) {
  const { width, height, format, size_bytes: size, datetime, orientation, has_gps: gps, camera } = metadata;
  const rows = [
    ["Dimensions", pixels(width, height)],
    ["File", `${format.toUpperCase()}, ${bytes(size)}`],
  ];
  if (datetime) rows.unshift(["Taken", captureTime(datetime)]);
  if (camera) rows.push(["Camera", camera]);
  if (orientation !== 1) rows.push(["Orientation", `${orientation}, shown upright`]);
  if (gps) rows.push(["Place", "The file says where it was taken"]);
  return rows;
}

/** All Exif fields, or null if there are none. */
export function exifOf({ metadata }) {
  const rank = ([name]) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const rows = Object.entries(metadata?.exif ?? {}).sort((a, b) => rank(a) - rank(b) || a[0].localeCompare(b[0]));
  return rows.length === 0 ? null : table(rows.map(([name, text]) => [spaced(name), text]));
}

/** What was noticed: oddities of the metadata, and findings with their evidence. */
export function remarksOf({ metadata, findings = [] }) {
  const warnings = (metadata?.warnings ?? []).map((text) => element("li", {}, text));
  const found = findings.map(({ code, text, evidence }) => {
    const rows = Object.entries(evidence ?? {}).map(([name, value]) => [spaced(name), plain(value)]);
    return element("li", { "data-code": code }, text, rows.length > 0 ? table(rows) : null);
  });
  const remarks = [...found, ...warnings];
  return remarks.length === 0 ? null : element("ul", { class: "remarks" }, ...remarks);
}

function table(rows) {
  const shown = rows.map(([name, text]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, text)),
  );
  return element("table", { class: "facts" }, element("tbody", {}, ...shown));
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** `ExposureTime` and `exposure_time` → `Exposure time`; `GPSLatitude` → `GPS latitude`. */
function spaced(name) {
  const words = name
    .replaceAll("_", " ")
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");
  const lower = words
    .split(" ")
    .map((word) => (/^[A-Z][a-z]/.test(word) ? word.toLowerCase() : word))
    .join(" ");
  return lower.charAt(0).toUpperCase() + lower.slice(1);
}
