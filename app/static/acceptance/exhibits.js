// @ts-check
// The exhibits: a chart each, with what it says, what it stands on, and what to try.

import { chart } from "../charts/index.js";
import { chartKey, chartKeyWords } from "../charts/key.js";
import { saveChart } from "../charts/picture.js";
import { el } from "../core/dom.js";
import { showBehind } from "./behind.js";
import { failureTable } from "./failures.js";
import { choice, labelOf, named } from "./results.js";

/** @typedef {import("./results.js").Page} Page */
/** @typedef {import("../charts/axes.js").Exhibit} Exhibit */

/**
 * An exhibit on the page.
 * @typedef {object} Card
 * @property {HTMLElement} node
 * @property {HTMLElement} figure
 * @property {Exhibit} exhibit
 * @property {Exhibit | null} other
 * @property {string[]} names of its series
 * @property {string[]} sentences for a picture that stands alone
 * @property {{ draw: () => void }} [chart]
 */

const ALONE = ["lines", "tokens"]; // kinds that no other result's stands beside

/** @param {Page} page */
export function drawExhibits(page) {
  const { state, view } = page, { other, others } = state;
  view.exhibits.style.minHeight = `${view.exhibits.offsetHeight}px`; // so that the page does not jump
  const mine = named(state, choice(state)), both = others && other ? [mine, named(state, other)] : [mine];
  page.cards = state.exhibits.map((exhibit) => {
    const beside = (others || []).find(({ id, kind }) => id === exhibit.id && !ALONE.includes(kind)) || null;
    return card(exhibit, beside, beside ? both : [mine]);
  });
  view.exhibits.replaceChildren(...page.cards.map(({ node }) => node));
  for (const one of page.cards) { // a chart takes the width that its box has on the page
    if (one.exhibit.kind === "tokens") continue;
    one.chart = chart(one.figure, one.exhibit, one.other, (index, series) => showBehind(page, one, index, series));
  }
  view.exhibits.style.minHeight = "";
  view.none.hidden = Boolean(state.view?.study) || state.exhibits.some(({ id }) => id === "position");
  const kind = state.category ? " for this kind of question" : "";
  const setting = state.view && Object.keys(state.view.points).length > 1 ? " or setting" : "";
  view.none.textContent = `${labelOf(state, state.method)} made no drafts here${kind}: it never does, or none was `
    + `worth its time on that machine. Choose another method${setting}, or another result, to see acceptance.`;
}

/**
 * @param {Exhibit} exhibit
 * @param {Exhibit | null} other
 * @param {string[]} names
 * @returns {Card}
 */
function card(exhibit, other, names) {
  const { title } = exhibit, figure = el("div", { class: "ptp-figure-box" }), isTable = exhibit.kind === "tokens";
  if (isTable && exhibit.items.length) figure.append(failureTable(title, /** @type {any} */ (exhibit.items)));
  const tool = (/** @type {string} */ format) => el("button", {
    type: "button", class: "ptp-save", "data-save": format, text: format.toUpperCase(),
    "aria-label": `Save “${title}” as ${format.toUpperCase()}`,
  });
  const says = [exhibit.says, ...(other ? [`Hatched: ${other.says}`] : [])].filter(Boolean);
  const over = [exhibit.over, ...(other && other.over !== exhibit.over ? [`Hatched: ${other.over}`] : [])];
  const look = `ptp-panel ptp-exhibit${isTable ? " is-wide" : ""}`, tools = isTable ? [] : [tool("png"), tool("svg")];
  const node = el("section", { class: look, "data-exhibit": exhibit.id, "aria-label": title }, [
    el("div", { class: "ptp-exhibit-head" }, [el("h3", { text: title }), ...tools]),
    el("p", { class: "ptp-what", text: exhibit.what }),
    isTable ? null : chartKey(exhibit, names), figure,
    ...says.map((text) => el("p", { class: "ptp-says", text })),
    ...over.map((text) => el("p", { class: "ptp-over", text })),
    el("p", { class: "ptp-try" }, [el("b", { text: "Try: " }), el("span", { text: exhibit.try })]),
  ]);
  const sentences = [title, isTable ? "" : chartKeyWords(exhibit, names), ...says, ...over].filter(Boolean);
  return { node, figure, exhibit, other, names, sentences };
}

/**
 * Saves the chart that holds this button.
 * @param {Page} page
 * @param {HTMLElement} button
 */
export function saveExhibit({ cards, state }, button) {
  const one = cards.find(({ node }) => node.contains(button));
  if (!one || !state.view) return;
  const name = [`ptp-${state.view.name}`, state.method, one.exhibit.id].filter(Boolean).join("-");
  saveChart(one.figure, one.sentences, name, button.dataset.save || "");
}
