// @ts-check
// Every call of the parallel lane against every position: what was drafted there and what became of it.

import { glyphOf, nameOf } from "../core/chips.js";
import { svg } from "../core/dom.js";
import { plain } from "../core/text.js";

/** @typedef {import("./lanes.js").Page} Page */
/** @typedef {import("../core/wire.js").Step} Step */
/** @typedef {{ row: number, column: number, status: string, says: string }} Cell */

const CELL = 13, LEFT = 36, TOP = 18;

/** @param {Page} page */
export function drawMap({ state, view, drawn }) {
  if (!view.mapBox.open) return;
  const track = state.lanes.ptp, key = `${state.run}/${track.calls}`;
  if (key === drawn.map) return;
  drawn.map = key;
  const width = 40 + CELL * (track.tokens.length + 8), height = 22 + CELL * track.steps.length;
  const label = "Calls down, positions across";
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const steps = track.steps.slice(0, track.calls);
  steps.forEach((_, row) => picture.append(mark(30, TOP + row * CELL + 10, String(row + 1), "end")));
  for (const cell of cells(steps)) picture.append(...drawCell(cell));
  picture.append(mark(LEFT, 11, "position →   (calls run down)"));
  view.map.replaceChildren(picture);
}

/**
 * The cells of these calls, from the first one of the text on.
 * @param {Step[]} steps
 */
export function cells(steps) {
  /** @type {Cell[]} */
  const found = [];
  let first = 0;
  steps.forEach((step, row) => {
    const put = (/** @type {number} */ i, /** @type {string} */ status, /** @type {string} */ words) => found.push(
      { row, column: first + i, status, says: `call ${row + 1}, position ${first + i + 1}: ${words}` });
    step.drafts.forEach((draft, i) => put(i, draft.status, `${plain(draft.text)}, ${draft.status}`));
    const beside = step.drafts[step.accepted]; // the draft in whose place the call's own token stands
    if (step.extra && (!beside || beside.status === "rejected")) {
      put(step.accepted, step.extra, `${nameOf(step.emitted[step.emitted.length - 1])}, ${step.extra}`);
    }
    first += step.emitted.length;
    const kept = step.branches.find((branch) => branch.kept);
    const pending = kept ? kept.drafts.filter((draft) => draft.status === "pending") : [];
    pending.forEach((draft, i) => put(i, "pending", `${plain(draft.text)}, drafted`));
  });
  return found;
}

/** @param {Cell} cell */
function drawCell({ row, column, status, says }) {
  const x = LEFT + column * CELL, y = TOP + row * CELL, glyph = glyphOf(status), side = CELL - 2;
  const square = { class: `ptp-cell is-${status}`, x, y, width: side, height: side, rx: 2 };
  const drawn = [svg("rect", square, svg("title", { text: says }))];
  const sign = { class: `ptp-map-glyph is-${status}`, x: x + 3, y: y + 9, text: glyph };
  return glyph ? [...drawn, svg("text", sign)] : drawn;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} text
 * @param {string} [anchor]
 */
const mark = (x, y, text, anchor) => svg("text", { x, y, class: "ptp-map-label", "text-anchor": anchor, text });
