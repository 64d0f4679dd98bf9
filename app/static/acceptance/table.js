// @ts-check
// All methods side by side.

import { el, find } from "../core/dom.js";
import { counted, percent } from "../core/text.js";
import { between, identical, number } from "./figures.js";
import { figuresOf, inWords, labelOf } from "./results.js";

/** @typedef {import("./results.js").Page} Page */
/** @typedef {import("../core/wire.js").Figures} Figures */

const OVER_TRANSFORMERS = "over transformers";
/** A column's name, and its value and interval. @type {[string, (found: Figures) => [string, string?]][]} */
const COLUMNS = [
  ["tokens per call", ({ perCall, perCallInterval }) => [number(perCall), between(perCallInterval)]],
  ["accepted length", ({ acceptedLength }) => [number(acceptedLength)]],
  ["acceptance", ({ acceptance }) => [acceptance === null ? "–" : percent(acceptance)]],
  ["ms per token", ({ ms, msInterval }) => [number(ms, 1), between(msInterval, 1)]],
  ["speed-up over AR", ({ speed, speedInterval }) => [number(speed, 2, "×"), between(speedInterval)]],
  [OVER_TRANSFORMERS, ({ overTransformers }) => [number(overTransformers, 2, "×")]],
  ["identical to AR", ({ same }) => [identical(same, "of")]],
];

/** @param {Page} page */
export function drawTable({ state, view }) {
  if (!state.view) return;
  /** @type {[string, Figures][]} */
  const rows = Object.keys(state.view.points[state.point]).flatMap((method) => {
    const found = figuresOf(state, method);
    return found ? [[method, found]] : [];
  });
  const timed = rows.some(([, { overTransformers }]) => overTransformers !== null);
  const columns = COLUMNS.filter(([name]) => name !== OVER_TRANSFORMERS || timed);
  const focused = document.activeElement, inside = focused instanceof HTMLElement && view.table.contains(focused);
  const held = inside ? focused.dataset.method : null;
  const names = ["method", ...columns.map(([name]) => name)];
  const head = el("tr", {}, names.map((text) => el("th", { scope: "col", text })));
  const body = rows.map(([method, found]) => {
    const on = method === state.method, text = labelOf(state, method);
    const button = { type: "button", "data-method": method, "aria-pressed": String(on), text };
    return el("tr", { class: on ? "is-on" : null }, [
      el("th", { scope: "row" }, el("button", button)), ...columns.map(([, cells]) => cell(...cells(found))),
    ]);
  });
  const questions = rows.length ? rows[0][1].questions : 0;
  const kind = state.category ? inWords(state.category) : "Every kind";
  const stopped = state.view.complete ? "" : " The run is not complete.";
  view.caption.textContent =
    `${kind}, ${counted(questions, "question")}. Small figures are 95 % intervals over questions.${stopped}`;
  view.table.replaceChildren(el("thead", {}, head), el("tbody", {}, body));
  if (held) find(view.table, `[data-method="${held}"]`)?.focus();
}

/** @param {string} value @param {string} [spread] */
const cell = (value, spread) =>
  el("td", {}, [el("span", { text: value }), spread ? el("small", { text: spread }) : null]);
