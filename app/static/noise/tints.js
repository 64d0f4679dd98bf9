// @ts-check
// Colours of noise maps: the largest areas have one each, the rest is grey.

import { plain } from "../core/text.js";

const KEYED = 7; // colours of the legend

/**
 * The largest keys first: key -> index of its colour.
 * @template K
 * @param {Map<K, number>} sizes
 * @returns {Map<K, number>}
 */
export const ranked = (sizes) =>
  new Map([...sizes].sort((a, b) => b[1] - a[1]).slice(0, KEYED).map(([key], i) => [key, i]));

/**
 * The class of a key's colour.
 * @template K
 * @param {Map<K, number>} colours
 * @param {K} key
 */
export const tint = (colours, key) => (colours.has(key) ? `ptp-key-${colours.get(key)}` : "ptp-key-rest");

/**
 * A token's text, for a picture.
 * @param {{ texts: import("../core/wire_maps.js").Texts }} map
 * @param {number} token
 */
export const labelIn = (map, token) => plain(map.texts[token] || "");
