// @ts-check
// Failed drafts in their contexts, as a table: the text so far, the draft, the text's own token, and the numbers.

import { el } from "../core/dom.js";
import { direction, flow, nodes } from "../core/text.js";

/**
 * @typedef {{ before: string, wrong: string, instead: string, u: number, margin: number | null, confidence: number }}
 *   Failure
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
function row({ before, wrong, instead, u, margin, confidence }) {
  const cell = (/** @type {string} */ text) => el("td", { text });
  const name = (/** @type {string} */ kind, /** @type {string} */ text) =>
    el("td", {}, el("span", { class: `ptp-chip is-${kind}` }, nodes(text)));
  return el("tr", {}, [
    el("td", { class: "ptp-before", dir: direction(before) }, ["…", ...flow(before)]),
    name("rejected", wrong), name("recovered", instead),
    cell(u.toFixed(4)), cell(margin === null ? "–" : margin.toPrecision(2)), cell(confidence.toFixed(2)),
  ]);
}
