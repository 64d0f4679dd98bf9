// @ts-check
// Scales and frames of charts.

import { clamp, svg } from "../core/dom.js";

/**
 * One bar or point. Null: there is no such value.
 * @typedef {object} Item
 * @property {string} label
 * @property {string} text all of it in a sentence
 * @property {number | null} value
 * @property {number | null} [low] of its interval
 * @property {number | null} [high]
 * @property {number | null} [mark] a second value
 * @property {number} [count] how much it stands on
 * @property {number} [x] where a curve has it
 */
/**
 * A chart as app/acceptance/exhibits.py makes it.
 * @typedef {object} Exhibit
 * @property {string} id
 * @property {"bars" | "rows" | "curve" | "lines" | "tokens"} kind
 * @property {string} title
 * @property {string} what it shows
 * @property {string} says what is to be seen
 * @property {string} over how much it stands on
 * @property {string} try what to try
 * @property {string} y "share", "count" or another quantity
 * @property {string} [unit]
 * @property {string} [axis]
 * @property {string} [noun] of its items
 * @property {boolean} [drill] whether questions stand behind its items
 * @property {string} [mark] what the second value is
 * @property {number} [base] a line to compare with
 * @property {Item[]} items
 * @property {{ name: string, items: Item[] }[]} lines
 * @property {string[]} places of lines
 */
/** @typedef {Item & { value: number }} Shown an item that has a value */

export const HEIGHT = 230;
export const LINE = 13;
export const LEFT = 46;
export const EDGE = 8; // beside an upright plot

/** @param {number | null | undefined} value @returns {value is number} */
export const given = (value) => value !== null && value !== undefined;

/** An item's name. @param {Exhibit} exhibit @param {Item} item */
export const itemName = (exhibit, item) => (exhibit.noun ? `${exhibit.noun} ` : "") + item.label;

/** @param {number} value @param {Exhibit} exhibit */
export function format(value, exhibit) {
  if (exhibit.y === "share") return `${Math.round(100 * value)} %`;
  return value.toFixed(exhibit.y === "count" || value >= 100 ? 0 : 2) + (exhibit.unit || "");
}

/** On an axis: without the zeros behind the point. @param {number} value @param {Exhibit} exhibit */
export const short = (value, exhibit) =>
  exhibit.y === "share" ? format(value, exhibit) : Number(value.toPrecision(4)) + (exhibit.unit || "");

/**
 * Round steps from low to high: about `wanted` of them.
 * @param {number} low
 * @param {number} high
 * @param {number} wanted
 */
export function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) || 10 * power;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i += 1) {
    found.push(Number((i * step).toPrecision(6)));
  }
  return found;
}

/**
 * The upper end of a scale: 100 % where shares are large, a closer one where all are small.
 * @param {Exhibit} exhibit
 * @param {Item[]} items
 */
export function highest(exhibit, items) {
  const all = (/** @type {(item: Item) => (number | null | undefined)[]} */ values) =>
    items.flatMap(values).map((value) => value || 0);
  if (exhibit.y !== "share") return Math.max(1e-9, ...all(({ value, high, mark }) => [value, high, mark])) * 1.08;
  const most = Math.max(0.05, ...all((item) => [item.value, item.mark, (item.count || 0) > 4 ? item.high : 0]));
  if (most > 0.5) return 1;
  const steps = ticks(0, most * 1.15, 4);
  return steps[steps.length - 1] + (steps[1] || 0);
}

/**
 * A label in up to three lines.
 * @param {string} label
 * @param {number} room in pixels
 */
export const words = (label, room) => fold(label, Math.max(3, Math.floor(room / 6.3))).slice(0, 3);

/**
 * A sentence in lines of at most so many characters; a longer word has a line of its own.
 * @param {string} sentence
 * @param {number} most
 */
export function fold(sentence, most) {
  const [first, ...rest] = sentence.split(" "), lines = [first];
  for (const word of rest) {
    const longer = `${lines[lines.length - 1]} ${word}`;
    if (longer.length > most) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

// ---- parts ---------------------------------------------------------------------------------------------

/**
 * @param {number} x
 * @param {number} y
 * @param {string} text
 * @param {object} [extra]
 */
export const label = (x, y, text, extra) => svg("text", { x, y, class: "ptp-tick", text, ...extra });

/**
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 * @param {string} look
 */
export const line = (x1, y1, x2, y2, look) => svg("line", { x1, y1, x2, y2, class: look });

/**
 * Several lines of text.
 * @param {number} x
 * @param {number} y
 * @param {string[]} lines
 * @param {string} anchor
 */
export const stacked = (x, y, lines, anchor) => svg("text", { class: "ptp-tick", "text-anchor": anchor },
  lines.map((part, i) => svg("tspan", { x, y: y + i * LINE, text: part })));

/**
 * An interval.
 * @param {number} x
 * @param {number} low
 * @param {number} high
 */
export const whisker = (x, low, high) => [
  line(x, low, x, high, "ptp-whisker"),
  ...[low, high].map((y) => line(x - 3, y, x + 3, y, "ptp-whisker")),
];

/** An empty picture. @param {number} width @param {number} [height] */
export function blank(width, height = HEIGHT) {
  const hatch = svg("pattern", {
    id: "ptp-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
  }, svg("rect", { width: 2.4, height: 6, class: "ptp-hatch" }));
  const look = { class: "ptp-chart", width, height, viewBox: `0 0 ${width} ${height}` };
  return svg("svg", look, svg("defs", {}, hatch));
}

/**
 * The axes of an upright plot with labels of `deep` lines below; returns the place of a value and the plot's edges.
 * @param {SVGElement} picture
 * @param {Exhibit} exhibit
 * @param {number} width
 * @param {number} deep
 * @param {number} high
 * @param {number} [low]
 */
export function frame(picture, exhibit, width, deep, high, low = 0) {
  const left = LEFT, right = width - EDGE, top = 10, bottom = HEIGHT - 26 - LINE * deep;
  const y = (/** @type {number} */ value) =>
    bottom - ((clamp(value, low, high) - low) / (high - low)) * (bottom - top);
  for (const tick of ticks(low, high, 4)) {
    const text = label(left - 6, y(tick) + 4, short(tick, exhibit), { "text-anchor": "end" });
    picture.append(line(left, y(tick), right, y(tick), "ptp-grid"), text);
  }
  const title = { "text-anchor": "middle", class: "ptp-tick is-title" };
  picture.append(label((left + right) / 2, HEIGHT - 6, exhibit.axis || "", title));
  return { left, right, top, bottom, y };
}

/**
 * What stands for one item, and can be chosen where questions stand behind it.
 * @param {Exhibit} exhibit
 * @param {Item} item
 * @param {number} index
 * @param {number} series
 * @param {Node[]} children
 */
export const mark = (exhibit, item, index, series, children) => svg("g", {
  class: `ptp-mark is-series-${series}${exhibit.drill ? " is-drill" : ""}`, "data-index": index, "data-series": series,
  role: exhibit.drill ? "button" : "img", "aria-label": `${itemName(exhibit, item)}: ${item.text}`,
}, children);

/**
 * Both series, item by item, as [item, series].
 * @param {Exhibit} exhibit
 * @param {Exhibit | null} other
 */
export function pairs(exhibit, other) {
  const count = Math.max(exhibit.items.length, other ? other.items.length : 0);
  return Array.from({ length: count }, (_, i) => {
    /** @type {[Item, number][]} */
    const group = [];
    if (exhibit.items[i]) group.push([exhibit.items[i], 0]);
    if (other && other.items[i]) group.push([other.items[i], 1]);
    return group;
  });
}
