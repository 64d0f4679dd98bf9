// @ts-check
// Upright columns with intervals; a second series stands beside the first.

import { svg } from "../core/dom.js";
import {
  blank, EDGE, frame, given, highest, label, LEFT, line, mark, pairs, stacked, whisker, words,
} from "./axes.js";

/** @typedef {import("./axes.js").Exhibit} Exhibit */
/** @typedef {import("./axes.js").Item} Item */
/** @typedef {ReturnType<typeof frame>} Frame */

/** @param {Exhibit} exhibit @param {Exhibit | null} other @param {number} width */
export function bars(exhibit, other, width) {
  const picture = blank(width), comparable = other ? shares(exhibit, other) : [exhibit, null];
  const [scaled, beside] = comparable, first = scaled || exhibit;
  const all = [...first.items, ...(beside ? beside.items : [])];
  const drawn = other ? all.map((item) => ({ ...item, mark: null })) : all;
  const groups = pairs(first, beside), room = (width - LEFT - EDGE) / Math.max(groups.length, 1);
  const deep = Math.max(1, ...groups.map(([[item]]) => words(item.label, room).length));
  const edges = frame(picture, first, width, deep, highest(first, drawn));
  groups.forEach((group, i) => {
    const middle = edges.left + room * (i + 0.5), wide = Math.min(46, room * 0.68), each = wide / (other ? 2 : 1);
    picture.append(stacked(middle, edges.bottom + 15, words(group[0][0].label, room), "middle"));
    for (const [item, series] of group) {
      const x = middle - wide / 2 + series * each;
      picture.append(mark(exhibit, item, i, series, bar(item, x, each, edges, !other)));
    }
  });
  picture.append(line(edges.left, edges.bottom, edges.right, edges.bottom, "ptp-axis-line"));
  return picture;
}

/**
 * Two series of counts as shares, since runs of different length are compared; others as they are.
 * @param {Exhibit} exhibit
 * @param {Exhibit} other
 */
function shares(exhibit, other) {
  if (exhibit.y !== "count") return [exhibit, other];
  return [exhibit, other].map((one) => {
    const total = one.items.reduce((sum, { value }) => sum + (value || 0), 0) || 1;
    const items = one.items.map((item) => ({ ...item, value: given(item.value) ? item.value / total : null }));
    return { ...one, y: "share", items };
  });
}

/**
 * @param {Item} item
 * @param {number} x
 * @param {number} width
 * @param {Frame} edges
 * @param {boolean} ring whether its second value is drawn
 */
function bar({ value, low, high, mark: second }, x, width, { bottom, y }, ring) {
  /** @type {SVGElement[]} */
  const parts = [svg("rect", { x, y: 10, width, height: bottom - 10, class: "ptp-hit" })];
  const center = x + width / 2;
  if (given(value)) {
    const height = Math.max(bottom - y(value), 1), wide = Math.max(width - 2, 1);
    parts.push(svg("rect", { x: x + 1, y: y(value), width: wide, height, rx: 2, class: "ptp-bar" }));
    if (given(low)) parts.push(...whisker(center, y(low), y(high || 0)));
  }
  if (ring && given(second)) parts.push(svg("circle", { cx: center, cy: y(second), r: 5, class: "ptp-ring" }));
  if (!given(value)) parts.push(label(center, bottom - 4, "–", { "text-anchor": "middle" }));
  return parts;
}
