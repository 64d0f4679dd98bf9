// @ts-check
// The tokens' own names in a unit square: the second one in its cell, the first one over its column.

import { svg } from "../core/dom.js";
import { labelIn } from "./tints.js";

const LETTER = 7, LINE = 14, MOST = 12; // of the picture's units; the longest name is cut

/**
 * Names for what is large enough to hold them.
 * @param {import("../core/wire_maps.js").Square} map
 * @param {import("../core/wire_maps.js").Column[]} columns
 * @param {(u: number) => number} across
 * @param {(u: number) => number} up
 */
export function cellNames(map, columns, across, up) {
  const found = [];
  for (const { left, right, token, cells } of joined(columns)) {
    const wide = across(right) - across(left), middle = (across(left) + across(right)) / 2;
    const first = short(map, token);
    if (wide >= LETTER * first.length + 2) found.push(name("nz-first", middle, up(1) - 4, first));
    for (const { bottom, top, token: second } of cells) {
      const text = short(map, second), high = up(bottom) - up(top);
      if (high < LINE || wide < LETTER * text.length + 2) continue;
      found.push(name("nz-in nz-second", middle, (up(bottom) + up(top)) / 2 + 4, text));
    }
  }
  return found;
}

/** @param {import("../core/wire_maps.js").Square} map @param {number} token */
const short = (map, token) => labelIn(map, token).slice(0, MOST);

/** @param {string} kind @param {number} x @param {number} y @param {string} text */
const name = (kind, x, y, text) => svg("text", { class: kind, x, y, text, "text-anchor": "middle" });

/**
 * Neighbouring columns that say the same are one: a draft is asked at points.
 * @param {import("../core/wire_maps.js").Column[]} columns
 */
export function joined(columns) {
  /** @type {import("../core/wire_maps.js").Column[]} */
  const found = [];
  const says = (/** @type {import("../core/wire_maps.js").Column} */ { token, cells }) =>
    [token, ...cells.map((cell) => cell.token)].join(" ");
  for (const column of columns) {
    const last = found[found.length - 1];
    if (last && says(last) === says(column) && column.left - last.right < 1e-3) last.right = column.right;
    else found.push({ ...column });
  }
  return found;
}
