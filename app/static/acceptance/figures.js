// @ts-check
// The four headline figures of the chosen method.

import { counted, percent } from "../core/text.js";
import { figuresOf, inWords, labelOf } from "./results.js";

/** @typedef {import("./results.js").Page} Page */
/** @typedef {import("./results.js").State} State */

/**
 * A number with its unit; a dash where there is none.
 * @param {number | null} value
 * @param {number} [digits]
 * @param {string} [unit]
 */
export const number = (value, digits = 2, unit = "") => (value === null ? "–" : value.toFixed(digits) + unit);

/**
 * An interval in words; empty where it has no width.
 * @param {[number, number] | null} pair
 * @param {number} [digits]
 */
export const between = (pair, digits = 2) =>
  pair && pair[0] !== pair[1] ? `${pair[0].toFixed(digits)} to ${pair[1].toFixed(digits)}` : "";

/** How many answers are identical. @param {[number, number] | null} same @param {string} of */
export const identical = (same, of) =>
  same ? `${same[0] === same[1] ? "✓" : "≠"} ${same[0]} ${of} ${same[1]}` : "–";

/** @param {Page} page */
export function drawFigures({ state, view }) {
  const found = figuresOf(state);
  if (!found) return;
  const { perCall, tokens, calls, acceptedLength, acceptance, drafted, speed, same } = found;
  const spread = between(found.speedInterval);
  const accepted = acceptedLength === null
    ? "accepted length: nothing was drafted"
    : `mean accepted length; ${percent(acceptance || 0)} of ${counted(drafted, "draft")} accepted`;
  const parts = found.rounded === 1 ? "1 parts" : `${found.rounded} part`;
  const compared = same
    ? `answers identical to AR${found.rounded ? `; ${parts} where rounding decides` : ", token by token"}`
    : "it draws its own random numbers, so there is nothing to compare";
  [
    [number(perCall), `tokens per call: ${counted(tokens, "token")} in ${counted(calls, "call")}`],
    [number(acceptedLength), accepted],
    [number(speed, 2, "×"), speed === null ? found.why || "no times were measured" : speedWords(speed, spread)],
    [identical(same, "/"), compared],
  ].forEach(([value, words], i) => {
    view.figures[i].value.textContent = value;
    view.figures[i].label.textContent = words;
  });
  view.figures[3].box.classList.toggle("is-bad", same !== null && same[0] + found.rounded !== same[1]);
  view.where.textContent = state.view ? state.view.where[state.point] : "";
}

/** @param {number} speed @param {string} spread */
function speedWords(speed, spread) {
  const words = speed < 0.995 ? "slower than our AR" : speed < 1.005 ? "as fast as our AR" : "faster than our AR";
  return `${words}, whole answers, prompt included${spread ? `; 95 % ${spread}` : ""}`;
}

/** What is chosen, in one sentence. @param {State} state */
export function summary(state) {
  const found = figuresOf(state);
  if (!found) return state.view?.study ? `${state.view.title}.` : "";
  const { perCall, speed, questions, same } = found;
  const what = [labelOf(state, state.method), ...(state.category ? [inWords(state.category)] : [])].join(", ");
  const over = counted(questions, "question");
  return `${what}: ${number(perCall)} tokens per call, speed-up ${number(speed)} over ${over}.`
    + (same ? ` ${same[0]} of ${same[1]} answers identical.` : "");
}
