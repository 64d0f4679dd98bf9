// @ts-check
// Points against a diagonal.

import { svg } from "../core/dom.js";
import { blank, frame, given, label, line, mark, short, ticks, whisker } from "./axes.js";

/** @typedef {import("./axes.js").Exhibit} Exhibit */
/** @typedef {import("./axes.js").Item} Item */

/**
 * The points that a series has, as [x, value, item, index].
 * @param {Exhibit} exhibit
 */
function pointsOf({ items }) {
  /** @type {[number, number, Item, number][]} */
  const found = [];
  items.forEach((item, i) => {
    if (item.count && given(item.value)) found.push([item.x || 0, item.value, item, i]);
  });
  return found;
}

/** @param {Exhibit} exhibit @param {Exhibit | null} other @param {number} width */
export function curve(exhibit, other, width) {
  const picture = blank(width), series = [exhibit, ...(other ? [other] : [])].map(pointsOf), seen = series.flat();
  const most = exhibit.y === "share" ? 1 : Math.max(0.5, ...seen.flatMap(([x, value]) => [x, value])) * 1.1;
  const { left, right, bottom, top, y } = frame(picture, exhibit, width, 1, most);
  const across = (/** @type {number} */ value) => left + (value / most) * (right - left);
  for (const tick of ticks(0, most, 5)) {
    const anchor = { "text-anchor": tick === most ? "end" : "middle" };
    picture.append(label(across(tick), bottom + 15, short(tick, exhibit), anchor));
  }
  picture.append(
    line(left, bottom, across(most), top, "ptp-base"), line(left, bottom, right, bottom, "ptp-axis-line"),
  );
  const largest = Math.max(...seen.map(([, , { count }]) => count || 0), 1);
  series.forEach((points, k) => {
    const path = points.map(([x, value]) => `${across(x)},${y(value)}`).join(" ");
    picture.append(svg("polyline", { points: path, class: `ptp-line is-series-${k}` }));
    for (const [x, value, item, i] of points) {
      const r = 4 + 7 * Math.sqrt((item.count || 0) / largest), at = { cx: across(x), cy: y(value) };
      const spread = given(item.low) ? whisker(at.cx, y(item.low), y(item.high || 0)) : [];
      picture.append(mark(exhibit, item, i, k, [
        svg("circle", { ...at, r: Math.max(r, 12), class: "ptp-hit" }), ...spread,
        svg("circle", { ...at, r, class: "ptp-bar" }),
      ]));
    }
  });
  return picture;
}
