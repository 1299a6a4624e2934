/** Rows of one height each that fill the width, as prints on a light table do, and nothing jumps. */

/** Beyond these, a picture is cropped a little rather than made a stripe. */
const NARROWEST = 0.56;
const WIDEST = 4;
/** What is not known yet is taken for an ordinary landscape. */
const USUAL = 1.5;

/** @typedef {{x: number, y: number, width: number, height: number}} Box of a card: the picture and its words */

/** Width by height of a picture, within reason. */
export function aspectOf({ width, height }) {
  return width && height ? Math.min(Math.max(width / height, NARROWEST), WIDEST) : USUAL;
}

/**
 * @param {number[]} aspects
 * @param {{width: number, target: number, gap: number, words: number}} measures the width to fill, the height that
 *   rows should about have, the space between cards, and the height of the words; all in CSS pixels
 * @returns {{boxes: Box[], height: number}}
 */
export function arrange(aspects, { width, target, gap, words }) {
  const boxes = [];
  let y = 0;
  for (let start = 0; start < aspects.length;) {
    const { end, height } = rowFrom(aspects, start, { width, target, gap });
    let x = 0;
    for (const aspect of aspects.slice(start, end)) {
      boxes.push({ x, y, width: aspect * height, height: height + words });
      x += aspect * height + gap;
    }
    y += height + words + gap;
    start = end;
  }
  return { boxes, height: Math.max(y - gap, 0) };
}

/** Where the row ends whose height comes closest to the target. */
function rowFrom(aspects, start, { width, target, gap }) {
  let sum = 0;
  let before = Infinity;
  for (let end = start; end < aspects.length; end += 1) {
    sum += aspects[end];
    const height = (width - gap * (end - start)) / sum;
    if (height <= target) {
      const without = before - target < target - height;
      return without ? { end, height: before } : { end: end + 1, height };
    }
    before = height;
  }
  // The last row is not stretched.
  return { end: aspects.length, height: Math.min(before, target) };
}
