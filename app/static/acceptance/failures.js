// @ts-check
// Failed drafts in their contexts, as a table: the text so far, the draft, the text's own token, and the numbers.

import { el } from "../core/dom.js";
import { direction, flow, nodes, plain } from "../core/text.js";

/**
 * @typedef {{ before: string, wrong: string, instead: string, link: string | null, u: number, margin: number | null,
 *              confidence: number }} Failure wrong: "" where the result does not hold the draft's text
 */

const HEADS = ["text so far", "draft", "text's token", "u", "margin", "confidence"];

/**
 * @param {string} title
 * @param {Failure[]} failures
 */
export function failureTable(title, failures) {
  const head = el("tr", {}, HEADS.map((text) => el("th", { scope: "col", text })));
  const parts = [el("thead", {}, head), el("tbody", {}, failures.map(row))];
  const table = el("table", { class: "ptp-failures" }, parts);
  return el("div", { class: "ptp-scroll", tabindex: "0", role: "group", "aria-label": title }, table);
}

/** @param {Failure} failure */
function row({ before, wrong, instead, link, u, margin, confidence }) {
  const cell = (/** @type {string} */ text) => el("td", { text });
  const name = (/** @type {string} */ kind, /** @type {string} */ text) =>
    el("td", {}, el("span", { class: `ptp-chip is-${kind}` }, nodes(text)));
  return el("tr", {}, [
    el("td", { class: "ptp-before", dir: direction(before) }, ["…", ...flow(before)]),
    wrong ? name("rejected", wrong) : el("td", {}, elsewhere(before, link)), name("recovered", instead),
    cell(u.toFixed(4)), cell(margin === null ? "–" : margin.toPrecision(2)), cell(confidence.toFixed(2)),
  ]);
}

/**
 * What stands in place of a draft without a text: the way to its race.
 * @param {string} before
 * @param {string | null} link
 */
function elsewhere(before, link) {
  if (!link) return el("span", { class: "ptp-soft", text: "not kept" });
  const label = `See in its race which draft failed behind: ${plain(before.slice(-40))}`;
  return el("a", { href: `./?${link}`, text: "see its race", "aria-label": label });
}
