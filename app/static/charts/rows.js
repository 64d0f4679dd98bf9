// @ts-check
// Lying bars, for long labels.

import { svg } from "../core/dom.js";
import { blank, format, given, highest, label, LINE, line, mark, pairs, stacked, words } from "./axes.js";

/** @typedef {import("./axes.js").Exhibit} Exhibit */
/** @typedef {import("./axes.js").Item} Item */

/** @param {Exhibit} exhibit @param {Exhibit | null} other @param {number} width */
export function rows(exhibit, other, width) {
  const groups = pairs(exhibit, other), tall = other ? 40 : 27, room = Math.min(170, width * 0.36);
  const picture = blank(width, groups.length * tall + 12), left = room + 8, right = width - 58;
  const items = [...exhibit.items, ...(other ? other.items : [])];
  const most = Math.max(highest(exhibit, items), exhibit.base ? exhibit.base * 1.1 : 0);
  const x = (/** @type {number} */ value) => left + (Math.min(value, most) / most) * (right - left);
  groups.forEach((group, i) => {
    const top = i * tall + 4, each = (tall - 8) / group.length, lines = words(group[0][0].label, room).slice(0, 2);
    picture.append(stacked(room, top + tall / 2 - ((lines.length - 1) * LINE) / 2, lines, "end"));
    group.forEach(([item, series], k) => {
      const y = top + k * each;
      const hit = svg("rect", { x: left, y, width: width - left, height: each, class: "ptp-hit" });
      picture.append(mark(exhibit, item, i, series, [hit, ...bar(exhibit, item, left, y, each, x)]));
    });
  });
  const bottom = groups.length * tall + 4;
  if (exhibit.base) picture.append(line(x(exhibit.base), 0, x(exhibit.base), bottom, "ptp-base"));
  picture.append(line(left, 2, left, bottom, "ptp-axis-line"));
  return picture;
}

/**
 * @param {Exhibit} exhibit
 * @param {Item} item
 * @param {number} left
 * @param {number} y
 * @param {number} tall
 * @param {(value: number) => number} x
 */
function bar(exhibit, { value, low, high }, left, y, tall, x) {
  const middle = y + tall / 2, look = { class: "ptp-tick is-value" };
  if (!given(value)) return [label(Math.max(x(0), left) + 5, middle + 4, "–", look)];
  /** @type {SVGElement[]} */
  const parts = [
    svg("rect", { x: left, y: y + 1, width: Math.max(x(value) - left, 1), height: tall - 2, rx: 2, class: "ptp-bar" }),
  ];
  if (given(low)) parts.push(line(x(low), middle, x(high || 0), middle, "ptp-whisker"));
  const end = given(high) ? x(Math.max(high, value)) : x(value);
  return [...parts, label(Math.max(end, left) + 5, middle + 4, format(value, exhibit), look)];
}
