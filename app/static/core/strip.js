// @ts-check
// The CDF strip of one token: the unit interval, or a part of it, cut into bins, u dropped on it.

import { clamp, el, svg } from "./dom.js";
import { nodes, percent, plain } from "./text.js";

/** @typedef {import("./wire.js").Token} Token */
/** @typedef {{ from: number, to: number }} Part of [0, 1) */

const WIDTH = 1000, HEIGHT = 92, TOP = 26, BAR = 40;
/** @type {Part} */
export const WHOLE = { from: 0, to: 1 };

/**
 * An <svg> that scales with its box.
 * @param {Token} token
 * @param {Part} [part]
 */
export function strip(token, part = WHOLE) {
  const at = (/** @type {number} */ u) => clamp((u - part.from) / (part.to - part.from), 0, 1) * WIDTH;
  const seen = (/** @type {number} */ from, /** @type {number} */ to) => to > part.from && from < part.to;
  const omitted = (/** @type {number} */ from, /** @type {number} */ to) => svg("rect", {
    class: "ptp-omitted", x: at(from), y: TOP, width: Math.max(at(to) - at(from), 0.5), height: BAR,
  });
  const picture = svg("svg", {
    class: "ptp-strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": describe(token),
  }, svg("defs", {}, stripes()));
  let covered = 0;
  for (const { text, prob, left, own } of token.candidates) {
    if (left > covered + 1e-4 && seen(covered, left)) picture.append(omitted(covered, left));
    covered = left + prob;
    if (!seen(left, covered)) continue;
    picture.append(svg("g", { class: "ptp-bin" + (own ? " is-own" : "") }, [
      svg("title", { text: `${plain(text)}  ${percent(prob)}` }),
      svg("rect", { x: at(left), y: TOP, width: Math.max(at(covered) - at(left) - 1.5, 0.5), height: BAR }),
    ]));
  }
  if (covered < 1 - 1e-3 && seen(covered, 1)) picture.append(omitted(covered, 1));
  if (seen(token.u, token.u + 1e-9)) picture.append(needle(at(token.u)));
  return picture;
}

const stripes = () => svg("pattern", {
  id: "ptp-stripes", width: 10, height: 10, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
}, svg("rect", { width: 4, height: 10, class: "ptp-stripe" }));

/** @param {number} x */
const needle = (x) => svg("line", {
  class: "ptp-needle", x1: x, x2: x, y1: TOP - 8, y2: TOP + BAR + 8, "vector-effect": "non-scaling-stroke",
});

/** @param {Token} token */
function describe({ u, left, right }) {
  return `u is ${u.toFixed(3)}; the bin of this token runs from ${left.toFixed(3)} to ${right.toFixed(3)}`;
}

/**
 * Labels lie over the strip as text, so that they keep their size when it is stretched.
 * @param {Token} token
 * @param {Part} [part]
 */
export function stripLabels(token, part = WHOLE) {
  const labels = [];
  for (const { text, prob, left, own } of token.candidates) {
    const { from, to } = within(left, left + prob, part);
    if (to - from < 0.045) continue;
    labels.push(el("span", { class: "ptp-bin-label" + (own ? " is-own" : ""), style: placed(from, to) }, [
      el("b", {}, nodes(text)), el("small", { text: prob.toFixed(prob < 0.01 ? 4 : 2) }),
    ]));
  }
  return labels;
}

/**
 * A stretch of u as shares of the part that is shown.
 * @param {number} left
 * @param {number} right
 * @param {Part} part
 * @returns {Part}
 */
export function within(left, right, part) {
  const scale = 1 / (part.to - part.from);
  return { from: Math.max((left - part.from) * scale, 0), to: Math.min((right - part.from) * scale, 1) };
}

/**
 * The same as css.
 * @param {number} from
 * @param {number} to
 */
export const placed = (from, to) => `left:${100 * from}%;width:${100 * (to - from)}%`;
