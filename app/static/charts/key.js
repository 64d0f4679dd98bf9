// @ts-check
// A chart's key, as signs and in words.

import { el, svg } from "../core/dom.js";
import { lookOf, shapeOf } from "./lines.js";

/** @typedef {import("./axes.js").Exhibit} Exhibit */

/**
 * What a chart shows: null where one thing needs no key.
 * @param {Exhibit} exhibit
 * @param {string[]} names of its series
 */
export function chartKey(exhibit, names) {
  const entries = exhibit.kind === "lines"
    ? exhibit.lines.map(({ name }, k) => ({ name, look: lookOf(k), sign: lineSign(k) }))
    : names.map((name, k) => ({ name, look: `is-series-${k}`, sign: barSign(`is-series-${k}`) }));
  if (exhibit.mark && names.length < 2) entries.push({ name: exhibit.mark, look: "is-ring", sign: ringSign() });
  if (entries.length < 2) return null;
  return el("p", { class: "ptp-key" }, entries.map(({ name, look, sign }) =>
    el("span", { class: look }, [sign, el("span", { text: name })])));
}

/**
 * The same in words, for a picture that stands alone.
 * @param {Exhibit} exhibit
 * @param {string[]} names
 */
export function chartKeyWords(exhibit, names) {
  if (exhibit.kind === "lines") return exhibit.lines.map(({ name }, k) => `${shapeOf(k)[0]}: ${name}`).join(", ");
  const parts = names.length > 1 ? [`solid: ${names[0]}`, `hatched: ${names[1]}`] : [];
  if (exhibit.mark && names.length < 2) parts.push(`ring: ${exhibit.mark}`);
  return parts.join(", ");
}

/** @param {Node} drawn */
const sign = (drawn) => svg("svg", { width: 18, height: 12, class: "ptp-sign", "aria-hidden": "true" }, drawn);

/** @param {number} k */
const lineSign = (k) => sign(svg("g", { class: `ptp-series ${lookOf(k)}` }, [
  svg("polyline", { points: "0,6 18,6", class: "ptp-line" }), shapeOf(k)[1](9, 6),
]));

const ringSign = () => sign(svg("circle", { cx: 9, cy: 6, r: 4.5, class: "ptp-ring" }));

/** @param {string} look */
const barSign = (look) => sign(svg("g", { class: `ptp-sample ${look}` },
  svg("rect", { x: 2, y: 1, width: 14, height: 10, rx: 2, class: "ptp-bar" })));
