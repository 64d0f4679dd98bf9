// @ts-check
// The choices: result, setting, kind of questions, method, and what to compare with.

import { el } from "../core/dom.js";
import { choice, choiceOf, choiceText, inWords, labelOf, refresh, show } from "./results.js";

/** @typedef {import("./results.js").Page} Page */
/** @typedef {import("./results.js").State} State */
/** @typedef {[string, string]} Option value and text */

const ORIGINS = ["shipped", "live", "uploaded"];

/** @param {Page} page */
export function drawControls({ state, view }) {
  const { list, view: shown, point, other } = state;
  const sorted = ORIGINS.flatMap((origin) => list.filter((one) => one.origin === origin));
  offer(view.result, sorted.map(({ id, title, origin }) => [id, `${title} (${origin})`]), shown ? shown.id : "");
  view.result.disabled = false;
  if (!shown) return;
  for (const one of [view.category, view.method, view.other]) {
    /** @type {HTMLElement} */ (one.parentElement).hidden = shown.study;
  }
  const points = Object.keys(shown.points).filter((one) => Object.keys(shown.points[one]).length);
  const methods = Object.keys(shown.points[point]);
  /** @type {Option[]} */
  const categories = shown.categories.map((one) => [one, inWords(one)]);
  offer(view.category, [["", "every kind of question"], ...categories], state.category);
  offer(view.method, methods.map((one) => [one, labelOf(state, one)]), state.method);
  offer(view.point, points.map((one) => [one, one ? inWords(one) : "outside the sweep"]), point);
  view.pointBox.hidden = points.length < 2;
  const own = choiceText(choice(state));
  offer(view.other, [["", "nothing"], ...comparable(state).filter(([value]) => value !== own)], choiceText(other));
}

/** All that a result may be compared with. @param {State} state @returns {Option[]} */
function comparable(state) {
  return state.list.flatMap(({ id, name, drafting }) => {
    const from = state.view && id === state.view.id ? "" : `${name}: `;
    return drafting.flatMap(({ point, methods }) => methods.map((method) => {
      const text = from + labelOf(state, method) + (point ? `, ${inWords(point)}` : "");
      return /** @type {Option} */ ([choiceText({ result: id, method, point }), text]);
    }));
  });
}

/**
 * @param {HTMLSelectElement} select
 * @param {Option[]} options
 * @param {string} chosen
 */
function offer(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => el("option", { value, text })));
  select.value = chosen;
  select.disabled = options.length < 2;
}

/** Chooses a method. @param {Page} page @param {string} method */
export function pick(page, method) {
  page.state.method = page.state.picked = method;
  refresh(page);
}

/** @param {Page} page */
export function listenToControls(page) {
  const { state, view } = page;
  view.result.addEventListener("change", () => show(page, view.result.value));
  view.category.addEventListener("change", () => {
    state.category = view.category.value;
    refresh(page);
  });
  view.method.addEventListener("change", () => pick(page, view.method.value));
  view.point.addEventListener("change", () => {
    if (!state.view) return;
    const methods = Object.keys(state.view.points[view.point.value]);
    state.point = view.point.value;
    if (!methods.includes(state.method)) [state.method] = methods;
    refresh(page);
  });
  view.other.addEventListener("change", () => {
    state.other = choiceOf(view.other.value);
    refresh(page);
  });
}
