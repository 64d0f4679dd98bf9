// @ts-check
// The unit square as pictures: the target's, and the drafts' with and without u.

import { el, svg } from "../core/dom.js";
import { percent, plain } from "../core/text.js";

/** @typedef {import("./worker/square.js").Square} Square */
/** @typedef {Square & { labels: Record<number, string>, ms: number }} Drawn */

const SIZE = 240, COLOURS = 7, WIDE = 34, HIGH = 15; // a label needs so much room
const NAMES = { ptp: "PTP draft, told u", blind: "Draft without u" };

/** The colour's number of each second token: the largest areas first. @param {Drawn} found */
function ranking({ target }) {
  /** @type {Map<number, number>} */
  const areas = new Map();
  for (const { left, right, cells } of target) {
    for (const { bottom, top, token } of cells) {
      areas.set(token, (areas.get(token) || 0) + (right - left) * (top - bottom));
    }
  }
  const order = [...areas].sort((a, b) => b[1] - a[1]).map(([token]) => token);
  return new Map(order.slice(0, COLOURS).map((token, i) => [token, i]));
}

/** @param {Map<number, number>} ranks @param {number} token */
const look = (ranks, token) => `tab-cell ptp-key-${ranks.get(token) ?? "rest"}`;

/**
 * The three squares.
 * @param {Drawn} found
 * @param {number} u1 @param {number} u2 where the text's own numbers are
 */
export function squares(found, u1, u2) {
  const ranks = ranking(found), name = (/** @type {number} */ token) => plain(found.labels[token] ?? "");
  const boxes = found.target.flatMap(({ left, right, token, cells }) => cells.map((cell) => ({
    x: left, y: cell.bottom, width: right - left, height: cell.top - cell.bottom, token: cell.token,
    title: `${name(token)}, then ${name(cell.token)}`,
  })));
  const pictures = [frame("The target", "exact", boxes, ranks, name, u1, u2)];
  for (const [key, { tokens, share }] of Object.entries(found.drafts)) {
    const step = 1 / found.grid;
    const drawn = tokens.flatMap((column, i) => runs(column).map(({ from, to, token }) => ({
      x: i * step, y: from * step, width: step, height: (to - from) * step, token, title: name(token),
    })));
    const title = /** @type {Record<string, string>} */ (NAMES)[key] ?? key;
    pictures.push(frame(title, `right on ${percent(share)} of the area`, drawn, ranks, () => "", u1, u2));
  }
  return pictures;
}

/** Neighbours of one token as one. @param {number[]} column */
export function runs(column) {
  /** @type {{ from: number, to: number, token: number }[]} */
  const found = [];
  column.forEach((token, i) => {
    const last = found[found.length - 1];
    if (last && last.token === token) last.to = i + 1;
    else found.push({ from: i, to: i + 1, token });
  });
  return found;
}

/** @typedef {{ x: number, y: number, width: number, height: number, token: number, title: string }} Box */

/**
 * @param {string} title @param {string} says @param {Box[]} boxes @param {Map<number, number>} ranks
 * @param {(token: number) => string} name @param {number} u1 @param {number} u2
 */
function frame(title, says, boxes, ranks, name, u1, u2) {
  const drawn = boxes.map(({ x, y, width, height, token, title: told }) => svg("g", {}, [
    svg("title", { text: told }),
    svg("rect", {
      class: look(ranks, token), x: x * SIZE, y: (1 - y - height) * SIZE, width: width * SIZE, height: height * SIZE,
    }),
    width * SIZE > WIDE && height * SIZE > HIGH && name(token) ? svg("text", {
      class: "tab-cell-name", x: (x + width / 2) * SIZE, y: (1 - y - height / 2) * SIZE + 4, "text-anchor": "middle",
    }, [name(token).slice(0, Math.floor((width * SIZE) / 8))]) : null,
  ]));
  const picture = svg("svg", {
    viewBox: `0 0 ${SIZE} ${SIZE}`, class: "tab-picture", role: "img", "aria-label": `${title}, ${says}`,
  }, [
    ...drawn, svg("circle", { class: "tab-here", cx: u1 * SIZE, cy: (1 - u2) * SIZE, r: 5 }),
  ]);
  return el("figure", {}, [el("figcaption", {}, [el("b", { text: title }), el("span", { text: says })]), picture]);
}

/** The two numbers at a click on a picture. @param {MouseEvent} event @param {Element} picture */
export function pointAt(event, picture) {
  const box = picture.getBoundingClientRect(), most = 1 - 2 ** -20;
  const share = (/** @type {number} */ value) => Math.min(Math.max(value, 0), most);
  return [share((event.clientX - box.left) / box.width), share(1 - (event.clientY - box.top) / box.height)];
}
