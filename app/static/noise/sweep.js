// @ts-check
// The sweep: u of one token runs across; below it, the tokens that follow.

import { clamp, el, svg } from "../core/dom.js";
import { labelIn, ranked, tint } from "./tints.js";

/** @typedef {import("../core/wire_maps.js").Sweep} Sweep */
/** @typedef {import("../core/wire_maps.js").Stretch} Stretch */
/** @typedef {(u: number) => void} Choose */

const WIDE = 1000, HIGH = 26, LEFT = 46, TOP = 20, RIGHT = 8;
/** @param {number} u */
const across = (u) => LEFT + u * (WIDE - LEFT - RIGHT);

/**
 * The text's rows, the draft's and those of a draft without u, as nodes.
 * @param {Sweep} map
 * @param {number} u where the token's own u lies
 * @param {Choose} choose on a click or on Enter
 */
export function sweep(map, u, choose) {
  /** @type {Element[]} */ const shown = [rows(map, map.target, map.last - map.first + 1, u, choose, "The text")];
  if (!map.draft) return shown;
  const length = Math.max(...map.draft.map(({ tokens }) => tokens.length));
  const title = "What the PTP slots draft there, without a chain head";
  const [asked, wrong] = map.probes;
  const sure = `A sampled picture: ${wrong} of ${asked} extra test points differ.`
    + ` Its edges are known to ${(100 * map.error).toFixed(1)} % of u in all.`;
  shown.push(rows(map, map.draft, length, u, choose, title), el("p", { class: "ptp-soft nz-small", text: sure }));
  if (map.blind) {
    const most = Math.max(...map.blind.map(({ tokens }) => tokens.length));
    shown.push(rows(map, map.blind, most, u, choose, map.blind_name));
  }
  return shown;
}

/**
 * @param {Sweep} map
 * @param {Stretch[]} stretches
 * @param {number} count
 * @param {number} u
 * @param {Choose} choose
 * @param {string} title
 */
function rows(map, stretches, count, u, choose, title) {
  const height = TOP + count * HIGH + 22, first = map.first + 1;
  const picture = svg("svg", {
    class: "nz-sweep", viewBox: `0 0 ${WIDE} ${height}`, role: "slider", tabindex: "0",
    "aria-valuemin": "0", "aria-valuemax": "1", "aria-valuenow": u.toFixed(3),
    "aria-label": `${title}: tokens ${first} to ${map.first + count} as u of token ${first} runs from 0 to 1. `
      + "Arrow keys go from text to text, Enter sets the noise.",
  }, svg("text", { class: "nz-axis", x: LEFT, y: 13, text: title }));
  const here = stretches.find(({ left, right }) => u >= left && u < right);
  for (let k = 0; k < count; k += 1) {
    picture.append(svg("text", { class: "nz-axis", x: 4, y: TOP + k * HIGH + 17, text: String(first + k) }));
    picture.append(...row(map, stretches, k, here));
  }
  const needle = svg("line", {
    class: "ptp-needle", x1: across(u), x2: across(u), y1: TOP - 4, y2: TOP + count * HIGH + 4,
  });
  const anchor = u > 0.9 ? "end" : u < 0.1 ? "start" : "middle", value = `u = ${u.toFixed(3)}`;
  const label = { class: "nz-axis", x: across(u), y: height - 4, "text-anchor": anchor, text: value };
  picture.append(needle, svg("text", label));
  listen(map, stretches, picture, needle, u, choose);
  return picture;
}

/**
 * The blocks of one position: neighbours with the same token are one block.
 * @param {Stretch[]} stretches
 * @param {number} k
 */
export function blocks(stretches, k) {
  /** @type {{ left: number, right: number, token: number }[]} */
  const found = [];
  let last = null;
  for (const { left, right, tokens } of stretches) {
    const token = tokens[k];
    if (token === undefined) last = null;
    else if (last && last.token === token) last.right = right;
    else found.push(last = { left, right, token });
  }
  return found;
}

/**
 * @param {Sweep} map
 * @param {Stretch[]} stretches
 * @param {number} k
 * @param {Stretch | undefined} here
 */
function row(map, stretches, k, here) {
  /** @type {Map<number, number>} */
  const sizes = new Map();
  for (const { left, right, tokens } of stretches) {
    if (k < tokens.length) sizes.set(tokens[k], (sizes.get(tokens[k]) || 0) + right - left);
  }
  const colours = ranked(sizes), y = TOP + k * HIGH;
  return blocks(stretches, k).map(({ left, right, token }) => {
    const x = across(left), width = across(right) - x, text = labelIn(map, token);
    const shape = { x, y: y + 1, width: Math.max(width - 1, 0.5), height: HIGH - 2, rx: 3 };
    const inside = { class: "nz-in", x: x + 5, y: y + 17, text: text.slice(0, Math.floor(width / 7.5)) };
    return svg("g", { class: "nz-block" + (here && here.tokens[k] === token ? " is-own" : "") }, [
      svg("title", { text: `${text}, u from ${left.toFixed(3)} to ${right.toFixed(3)}` }),
      svg("rect", { class: tint(colours, token), ...shape }),
      width > 7.5 * Math.min(text.length, 12) + 6 ? svg("text", inside) : null,
    ]);
  });
}

/**
 * @param {Sweep} map
 * @param {Stretch[]} stretches
 * @param {SVGSVGElement} picture
 * @param {SVGElement} needle
 * @param {number} start
 * @param {Choose} choose
 */
function listen(map, stretches, picture, needle, start, choose) {
  let u = start;
  const at = (/** @type {number} */ x) => stretches.findIndex(({ left, right }) => x >= left && x < right);
  picture.addEventListener("keydown", (event) => {
    /** @type {Record<string, number>} */
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key !== "Enter" && !moves[event.key]) return;
    event.preventDefault();
    if (event.key === "Enter") {
      choose(u);
      return;
    }
    const { left, right, tokens } = stretches[clamp(at(u) + moves[event.key], 0, stretches.length - 1)];
    u = (left + right) / 2;
    for (const key of ["x1", "x2"]) needle.setAttribute(key, String(across(u)));
    picture.setAttribute("aria-valuenow", u.toFixed(3));
    const words = tokens.map((token) => labelIn(map, token)).join("");
    picture.setAttribute("aria-valuetext", `u ${u.toFixed(3)}: ${words}`);
  });
  picture.addEventListener("click", (event) => {
    const shown = picture.getBoundingClientRect();
    const x = (((event.clientX - shown.left) / shown.width) * WIDE - LEFT) / (WIDE - LEFT - RIGHT);
    if (x >= 0 && x < 1) choose(x);
  });
}
