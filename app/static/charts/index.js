// @ts-check
// Charts as inline SVG, drawn from an exhibit; a second one of the same kind may stand beside it for comparison.

import { clamp, closest, el, find, findAll } from "../core/dom.js";
import { bars } from "./bars.js";
import { curve } from "./curve.js";
import { lines } from "./lines.js";
import { rows } from "./rows.js";

/** @typedef {import("./axes.js").Exhibit} Exhibit */

const KINDS = { bars, rows, curve, lines };

/**
 * Draws into a box; `draw` draws anew, for another width.
 * @param {HTMLElement} figure
 * @param {Exhibit} exhibit
 * @param {Exhibit | null} other
 * @param {(index: number, series: number) => void} pick a bar was chosen
 */
export function chart(figure, exhibit, other, pick) {
  const tip = el("div", { class: "ptp-tip", hidden: true });
  /** @type {string | null} */
  let chosen = null;

  function draw() {
    const kind = KINDS[/** @type {keyof typeof KINDS} */ (exhibit.kind)]; // "tokens" are no chart
    const picture = kind(exhibit, other, Math.max(250, Math.floor(figure.clientWidth)));
    picture.setAttribute("role", "group");
    picture.setAttribute("aria-label", `${exhibit.title}. ${exhibit.says}`);
    findAll(picture, ".ptp-mark").forEach((mark, i) => mark.setAttribute("tabindex", i ? "-1" : "0"));
    if (chosen) find(picture, chosen)?.classList.add("is-chosen");
    tip.hidden = true;
    figure.replaceChildren(picture, tip);
  }

  /** @param {HTMLElement} mark */
  function choose(mark) {
    if (!exhibit.drill) return;
    const { index, series } = mark.dataset;
    chosen = `.ptp-mark[data-index="${index}"][data-series="${series}"]`;
    for (const one of findAll(figure, ".ptp-mark")) one.classList.toggle("is-chosen", one === mark);
    pick(Number(index), Number(series));
  }

  listenToMarks(figure, tip, choose);
  draw();
  return { draw };
}

/**
 * Puts the tip beside a mark, inside the box.
 * @param {HTMLElement} figure
 * @param {HTMLElement} tip
 * @param {HTMLElement} mark
 */
function showTip(figure, tip, mark) {
  tip.textContent = mark.getAttribute("aria-label");
  tip.hidden = false;
  const box = mark.getBoundingClientRect(), home = figure.getBoundingClientRect();
  const left = box.left + box.width / 2 - home.left - tip.offsetWidth / 2;
  const above = box.top - home.top - tip.offsetHeight - 6;
  tip.style.left = `${Math.max(0, Math.min(left, home.width - tip.offsetWidth))}px`;
  tip.style.top = `${above < -64 ? box.bottom - home.top + 6 : above}px`;
}

/**
 * Pointer and keys: tips, and the choice of a mark.
 * @param {HTMLElement} figure
 * @param {HTMLElement} tip
 * @param {(mark: HTMLElement) => void} choose
 */
function listenToMarks(figure, tip, choose) {
  const show = (/** @type {Event} */ event) => {
    const mark = closest(event, ".ptp-mark");
    if (mark) showTip(figure, tip, mark);
  };
  const hide = () => { tip.hidden = true; };
  figure.addEventListener("mouseover", show);
  figure.addEventListener("focusin", show);
  figure.addEventListener("mouseout", hide);
  figure.addEventListener("focusout", hide);
  figure.addEventListener("click", (event) => {
    const mark = closest(event, ".ptp-mark");
    if (mark) choose(mark);
  });
  figure.addEventListener("keydown", (event) => {
    const mark = closest(event, ".ptp-mark");
    if (!mark || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") hide();
    const marks = findAll(figure, ".ptp-mark"), i = marks.indexOf(mark);
    /** @type {Record<string, number>} */
    const targets = {
      ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: marks.length - 1,
    };
    if (targets[event.key] !== undefined) {
      const next = marks[clamp(targets[event.key], 0, marks.length - 1)];
      event.preventDefault();
      mark.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(mark);
    }
  });
}
