// @ts-check
// What every figure of the Learn page is made of: nodes, small formats, seeded chance, a stage that redraws itself.

import { calm, el, find, svg } from "../core/dom.js";
import { plain } from "../core/text.js";

export { calm, el, plain, svg };

/** @typedef {Record<string, any>} Attributes */

/** SVG text. @param {number} x @param {number} y @param {string} text @param {Attributes} [attributes] */
export const label = (x, y, text, attributes = {}) => svg("text", { x, y, text, ...attributes });

/** @param {number} x a share @param {number} [digits] */
export const percent = (x, digits = 0) => `${(100 * x).toFixed(digits)} %`;

/** A token as a word of a figure: without the space in front of it. @param {string} text */
export const word = (text) => (text.trim() ? text.trim() : plain(text));

/** Seeded uniform numbers in [0, 1) (mulberry32). @param {number} seed @returns {() => number} */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Pick(u, P): the first index whose cumulative probability exceeds u.
 * @param {ArrayLike<number>} odds
 * @param {number} u
 */
export function pick(odds, u) {
  let sum = 0,
    last = 0;
  for (let i = 0; i < odds.length; i++) {
    if (odds[i] > 0) last = i;
    sum += odds[i];
    if (u < sum) return i;
  }
  return last;
}

/** Stops all timers of one figure. @returns {{after: (ms: number, what: () => void) => void, stop: () => void}} */
export function timers() {
  let running = /** @type {number[]} */ ([]);
  return {
    after: (ms, what) => {
      running.push(window.setTimeout(what, ms));
    },
    stop: () => {
      running.forEach((id) => clearTimeout(id));
      running = [];
    },
  };
}

/**
 * A number that a frame's user drags: a labelled range.
 * @param {Attributes} attributes
 * @param {(value: number) => void} moved
 */
export function slider(attributes, moved) {
  const { title, ...rest } = attributes;
  const input = el("input", {
    type: "range",
    "aria-label": title,
    ...rest,
    oninput: () => moved(Number(input.value)),
  });
  return input;
}

/** @param {string} text @param {() => void} pressed @param {Attributes} [attributes] */
export const button = (text, pressed, attributes = {}) =>
  el("button", { type: "button", text, onclick: pressed, ...attributes });

/** Words laid out in lines of at most `room` units: [{text, x, y}], y counting lines; a newline breaks the line.
 * @param {string[]} pieces @param {number} room @param {number} wide of one character */
export function flow(pieces, room, wide) {
  /** @type {{text: string, index: number, x: number, y: number}[]} */ const placed = [];
  let x = 0,
    y = 0;
  pieces.forEach((piece, index) => {
    piece.split(/(\n)/).forEach((part) => {
      if (part === "\n") {
        x = 0;
        y += 1;
        return;
      }
      if (!part) return;
      if (x > 0 && x + part.length * wide > room) {
        x = 0;
        y += 1;
        if (part.startsWith(" ")) part = part.slice(1);
      }
      placed.push({ text: part, index, x, y });
      x += part.length * wide;
    });
  });
  return { placed, lines: y + 1 };
}

/**
 * A place to draw in: an <svg> as wide as its column, drawn anew whenever its size or its state changes.
 * @param {(room: {root: any, w: number, h: number}) => string} draw fills root; returns what a listener hears
 * @param {{ratio?: number, tall?: number}} [shape] height over width, and the least height
 */
export function stage(draw, shape = {}) {
  const root = svg("svg", { class: "learn-svg", role: "img" });
  const box = el("div", { class: "learn-stage" }, root);
  let said = "";
  const redraw = () => {
    const width = box.clientWidth,
      height = box.clientHeight;
    if (!width || !height) return;
    const scale = Math.max(1, Math.min(width / 620, height / 400, 2.4));
    const w = Math.round(width / scale),
      h = Math.round(height / scale);
    root.setAttribute("viewBox", `0 0 ${w} ${h}`);
    const focused = root.contains(document.activeElement) ? document.activeElement?.getAttribute("data-key") : null;
    root.replaceChildren();
    said = draw({ root, w, h });
    root.setAttribute("aria-label", said);
    if (root.querySelector("[tabindex]")) root.setAttribute("role", "group");
    if (focused) find(root, `[data-key="${focused}"]`)?.focus();
  };
  new ResizeObserver(redraw).observe(box);
  if (shape.tall) box.style.minHeight = `${shape.tall}px`;
  return { box, root, redraw, said: () => said };
}

/**
 * Makes a drawn node a button: pointer, Enter, Space.
 * @param {any} node
 * @param {string} key
 * @param {string} name
 * @param {() => void} act
 */
export function pressable(node, key, name, act) {
  node.setAttribute("tabindex", "0");
  node.setAttribute("role", "button");
  node.setAttribute("aria-label", name);
  node.setAttribute("data-key", key);
  node.classList.add("learn-press");
  node.addEventListener("click", act);
  node.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
  return node;
}
