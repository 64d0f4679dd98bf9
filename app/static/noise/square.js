// @ts-check
// The unit square: each point is a pair of u's, coloured by the two tokens that it gives.

import { clamp, el, svg } from "../core/dom.js";
import { nodes, percent } from "../core/text.js";
import { cellNames } from "./square_labels.js";
import { ranked, tint } from "./tints.js";

/** @typedef {import("../core/wire_maps.js").Square} Square */
/** @typedef {import("../core/wire_maps.js").DraftSquare} DraftSquare */
/** @typedef {import("../core/wire_maps.js").Column} Column */
/** @typedef {import("../core/wire_maps.js").Cell} Cell */
/** @typedef {(u1: number, u2: number) => void} Choose */

const SIDE = 300, PAD = 26, TOP = 18, BOX = SIDE + PAD + TOP;
const LAST = 0.99999;
const HATCHED = "Hatched: the draft's second token is not the target's. These maps show slots as in the paper, "
  + "without a chain head.";

/** @param {Column} column @param {Cell} cell */
const area = (column, cell) => (column.right - column.left) * (cell.top - cell.bottom);

/** @param {number} first @param {number} second */
const pairOf = (first, second) => `${first} ${second}`;

/**
 * The target's square and those of the drafts, as nodes.
 * @param {Square} map
 * @param {{ u1: number, u2: number }} here
 * @param {Choose} choose on a click or on Enter
 */
export function square(map, here, choose) {
  const sizes = pairSizes(map.target), colours = ranked(sizes);
  const says = el("p", {
    class: "ptp-facts nz-says", "aria-live": "off", text: "Point at a cell to see its pair of tokens.",
  });
  /** @type {[string, string, Column[], DraftSquare | null][]} */
  const panels = [["target", "target", map.target, null]];
  if (map.draft) panels.push(["draft", "PTP draft, reads u", map.draft.columns, map.draft]);
  if (map.blind) panels.push(["blind", map.blind_name, map.blind.columns, map.blind]);
  const figures = panels.map(([name, title, columns, drafted]) => el("figure", { class: "nz-figure" }, [
    el("figcaption", {}, [
      el("b", { text: title }), el("span", { class: "ptp-soft", text: drafted ? agreement(drafted) : "exact" }),
    ]),
    panel(map, name, columns, colours, here, says, choose),
  ]));
  const legend = [...colours].map(([pair, i]) => el("span", {}, [
    el("i", { class: `nz-swatch ptp-key-${i}` }), ...pairNodes(map, pair),
    el("small", { class: "ptp-soft", text: percent(sizes.get(pair) || 0) }),
  ]));
  return [
    el("div", { class: "nz-figures" }, figures), says, el("p", { class: "nz-legend" }, legend),
    ...(map.draft ? [el("p", { class: "ptp-soft nz-small", text: HATCHED })] : []),
  ];
}

/** The area of each pair of tokens. @param {Column[]} columns */
export function pairSizes(columns) {
  /** @type {Map<string, number>} */
  const sizes = new Map();
  for (const column of columns) {
    for (const cell of column.cells) {
      const pair = pairOf(column.token, cell.token);
      sizes.set(pair, (sizes.get(pair) || 0) + area(column, cell));
    }
  }
  return sizes;
}

/** @param {DraftSquare} drafted */
function agreement({ second, pair, error }) {
  const within = error ? ` ± ${(100 * error).toFixed(0)}` : "";
  return `second token right on ${(100 * second).toFixed(0)}${within} % of the area, `
    + `pair on ${(100 * pair).toFixed(0)} %`;
}

/** @param {Square} map @param {string} pair */
const pairNodes = (map, pair) =>
  pair.split(" ").map((token) => el("span", { class: "ptp-name" }, nodes(map.texts[token] || "")));

// ---- one square ----------------------------------------------------------------------------------------

const across = (/** @type {number} */ u) => PAD + u * SIDE;
const up = (/** @type {number} */ u) => TOP + (1 - u) * SIDE;

/**
 * @param {Square} map
 * @param {string} name
 * @param {Column[]} columns
 * @param {Map<string, number>} colours
 * @param {{ u1: number, u2: number }} here
 * @param {HTMLElement} says
 * @param {Choose} choose
 */
function panel(map, name, columns, colours, here, says, choose) {
  const picture = svg("svg", {
    class: `nz-square is-${name}`, viewBox: `0 0 ${BOX} ${BOX}`, role: "img", tabindex: "0",
    "aria-label": `${name}: second token against first, ${columns.length} columns. `
      + "Arrow keys move the cross, Enter sets the noise.",
  }, svg("defs", {}, hatching(name)));
  picture.append(box("nz-ground", 0, 1, 0, 1));
  for (const { left, right, token, cells } of columns) {
    for (const { bottom, top, token: second } of cells) {
      picture.append(box(`nz-cell ${tint(colours, pairOf(token, second))}`, left, right, bottom, top));
    }
  }
  for (const [left, right, bottom, top] of name === "target" ? [] : differences(columns, map.target)) {
    picture.append(box("nz-wrong", left, right, bottom, top, `url(#nz-hatch-${name})`));
  }
  const cross = svg("g", { class: "nz-cross" }, [
    svg("line", { y1: TOP, y2: TOP + SIDE }), svg("line", { x1: PAD, x2: PAD + SIDE }), svg("circle", { r: 4 }),
  ]);
  put(cross, here.u1, here.u2);
  picture.append(
    ...cellNames(map, columns, across, up),
    cross,
    svg("text", { class: "nz-axis", x: PAD + SIDE / 2, y: BOX - 6, "text-anchor": "middle", text: "u₁" }),
    svg("text", { class: "nz-axis", x: 8, y: 10 + SIDE / 2, text: "u₂" }),
  );
  listen(picture, cross, here, choose, (u1, u2, spoken) => {
    says.setAttribute("aria-live", spoken ? "polite" : "off"); // keys speak, the pointer does not
    says.replaceChildren(...pairAt(map, columns, u1, u2));
  });
  return picture;
}

/** @param {string} name */
const hatching = (name) => svg("pattern", {
  id: `nz-hatch-${name}`, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
}, svg("rect", { width: 2, height: 6, class: "nz-hatch" }));

/**
 * @param {string} kind
 * @param {number} left
 * @param {number} right
 * @param {number} bottom
 * @param {number} top
 * @param {string} [fill]
 */
const box = (kind, left, right, bottom, top, fill) => svg("rect", {
  class: kind, x: across(left), y: up(top), width: (right - left) * SIDE, height: (top - bottom) * SIDE, fill,
});

/** Moves the cross. @param {SVGElement} cross @param {number} u1 @param {number} u2 */
function put(cross, u1, u2) {
  const [one, two, dot] = cross.children, x = String(across(u1)), y = String(up(u2));
  for (const key of ["x1", "x2"]) one.setAttribute(key, x);
  for (const key of ["y1", "y2"]) two.setAttribute(key, y);
  dot.setAttribute("cx", x);
  dot.setAttribute("cy", y);
}

/**
 * The pair that two u's give, in words.
 * @param {Square} map
 * @param {Column[]} columns
 * @param {number} u1
 * @param {number} u2
 */
function pairAt(map, columns, u1, u2) {
  const column = columns.find(({ left, right }) => u1 >= left && u1 < right);
  const cell = column && column.cells.find(({ bottom, top }) => u2 >= bottom && u2 < top);
  const where = `u₁ ${u1.toFixed(3)}, u₂ ${u2.toFixed(3)}: `;
  if (!column || !cell) return [`${where}a pair too rare to be listed`];
  return [where, ...pairNodes(map, pairOf(column.token, cell.token)), `  ${percent(area(column, cell))} of the square`];
}

/**
 * @param {SVGSVGElement} picture
 * @param {SVGElement} cross
 * @param {{ u1: number, u2: number }} here
 * @param {Choose} choose
 * @param {(u1: number, u2: number, spoken: boolean) => void} tell
 */
function listen(picture, cross, here, choose, tell) {
  let { u1, u2 } = here;
  /** @param {MouseEvent} event @returns {[number, number]} */
  const place = (event) => {
    const shown = picture.getBoundingClientRect(), scale = BOX / shown.width;
    return [
      clamp(((event.clientX - shown.left) * scale - PAD) / SIDE, 0, LAST),
      clamp(1 - ((event.clientY - shown.top) * scale - TOP) / SIDE, 0, LAST),
    ];
  };
  picture.addEventListener("pointermove", (event) => tell(...place(event), false));
  picture.addEventListener("click", (event) => choose(...place(event)));
  picture.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.01;
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key !== "Enter" && !moves[event.key]) return;
    event.preventDefault();
    if (event.key === "Enter") {
      choose(u1, u2);
      return;
    }
    u1 = clamp(u1 + moves[event.key][0], 0, LAST);
    u2 = clamp(u2 + moves[event.key][1], 0, LAST);
    put(cross, u1, u2);
    tell(u1, u2, true);
  });
}

/**
 * Where the second tokens of two partitions differ, as [left, right, bottom, top].
 * @param {Column[]} mine
 * @param {Column[]} theirs
 */
export function differences(mine, theirs) {
  const found = [];
  for (const a of mine) {
    for (const b of theirs) {
      const left = Math.max(a.left, b.left), right = Math.min(a.right, b.right);
      if (right - left < 0.002) continue;
      for (const [bottom, top] of differing(a.cells, b.cells)) found.push([left, right, bottom, top]);
    }
  }
  return found;
}

/**
 * Where the tokens of two columns differ, as [bottom, top].
 * @param {Cell[]} mine
 * @param {Cell[]} theirs
 */
function differing(mine, theirs) {
  const edges = [...new Set([...mine, ...theirs].flatMap(({ bottom, top }) => [bottom, top]))].sort((x, y) => x - y);
  const tokenAt = (/** @type {Cell[]} */ cells, /** @type {number} */ u) =>
    cells.find(({ bottom, top }) => u >= bottom && u < top)?.token;
  /** @type {[number, number][]} */
  const found = [];
  for (let i = 0; i + 1 < edges.length; i += 1) {
    const middle = (edges[i] + edges[i + 1]) / 2;
    if (tokenAt(mine, middle) === tokenAt(theirs, middle)) continue;
    const last = found[found.length - 1];
    if (last && last[1] === edges[i]) last[1] = edges[i + 1];
    else found.push([edges[i], edges[i + 1]]);
  }
  return found.filter(([bottom, top]) => top - bottom > 0.004);
}
