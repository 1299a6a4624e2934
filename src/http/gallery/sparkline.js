/** A small curve of the last minutes, drawn as SVG. */

import { drawing } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 28;
/** The stroke must not be cut off at the edge. */
const EDGE = 2;

/**
 * @param {{values: (number | null)[], kind: string}[]} curves of one scale; null where nothing was measured
 * @param {number} places how many values fill the width
 */
export function sparkline(curves, places) {
  const highest = Math.max(...curves.flatMap(({ values }) => values.map((value) => value ?? 0)), Number.EPSILON);
  const paths = curves.map(({ values, kind }) => {
    const start = places - values.length;
    const points = values.flatMap((value, at) => {
      if (value === null) return [];
      const x = EDGE + ((start + at) / (places - 1)) * (WIDTH - 2 * EDGE);
      const y = HEIGHT - EDGE - (value / highest) * (HEIGHT - 2 * EDGE);
      return [`${x.toFixed(1)},${y.toFixed(1)}`];
    });
    return drawing("polyline", { class: kind, points: points.join(" "), "vector-effect": "non-scaling-stroke" });
  });
  return drawing(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...paths,
  );
}
