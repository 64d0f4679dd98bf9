// @ts-check
// What a visitor takes away: the tape, one token's bins, and the maps, as tables, data or pictures.

import { find } from "../core/dom.js";
import { csv, save, saveJson, savePicture, saveShown } from "../core/save.js";
import { percent } from "../core/text.js";
import { runners } from "./clocks.js";
import { chosen, foundMap, isRace, lead, mapKey } from "./history.js";
import { raceRows, raceTimes } from "./race_card.js";
import { racePicture } from "./race_picture.js";
import { plotPicture, stripPicture } from "./strip_picture.js";

/** @typedef {import("./history.js").Page} Page */
/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {(string | number)[][]} Rows */

/**
 * Saves one thing of the page.
 * @param {Page} page
 * @param {string} what "tape", "bins", or the kind of a map
 * @param {string} format "csv", "json", "png" or "svg"
 */
export async function exportAs(page, what, format) {
  const { state } = page, token = chosen(state);
  if (!token || !state.now) return;
  if (what === "tape") {
    save(csv(tapeRows(lead(state))), `ptp-tape-seed-${state.now.meta.seed}.csv`, "text/csv");
  } else if (what === "bins") await exportBins(page, token, format);
  else await exportMap(page, what, format, `ptp-${what}-token-${token.position + 1}`);
}

/** @param {Page} page @param {Token} token @param {string} format */
async function exportBins({ root, state }, token, format) {
  const name = `ptp-bins-token-${token.position + 1}`;
  if (format === "csv") save(csv(stripRows(token)), `${name}.csv`, "text/csv");
  else if (format === "json") saveJson(token.raw, name, 1);
  else await savePictureOf(root, state.now && isRace(state.now.meta)
    ? racePicture(`token ${token.position + 1}: when each clock rings`, runners(token.candidates, null).map(
      ({ text, prob, time }) => ({ text, odds: percent(prob), times: [time] })))
    : stripPicture(token, foundMap(state, "staircase")), name, format);
}

/**
 * Saves a picture that is not on the page.
 * @param {HTMLElement} root
 * @param {SVGElement} picture
 * @param {string} name
 * @param {string} format
 */
async function savePictureOf(root, picture, name, format) {
  root.append(picture); // its look is computed where css applies
  await saveShown(picture, name, format);
  picture.remove();
}

/** @param {Page} page @param {string} kind @param {string} format @param {string} name */
async function exportMap({ root, view, state }, kind, format, name) {
  const found = state.maps.get(mapKey(state, kind));
  if (!found) return;
  if (format === "json") saveJson(found.raw, name, 1);
  else if (format === "csv") save(csv(ROWS[kind](found.map)), `${name}.csv`, "text/csv");
  else if (kind === "staircase") {
    const plot = find(document, "#ptp-stairs .js-plotly-plot");
    if (plot) await savePicture(plotPicture(plot), name, format);
  } else if (kind === "race") {
    await savePictureOf(root, racePicture(`${name}: the two races`, raceTimes(found.map)), name, format);
  } else {
    const pictures = [...view.cards[kind === "square" ? kind : "sweep"].body.querySelectorAll("svg")];
    for (const [i, picture] of pictures.entries()) {
      const square = /is-(\w+)/.exec(picture.getAttribute("class") || "");
      await saveShown(picture, name + (square ? `-${square[1]}` : i ? "-draft" : ""), format);
    }
  }
}

// ---- tables --------------------------------------------------------------------------------------------

/** @param {Token[]} tokens @returns {Rows} */
export const tapeRows = (tokens) => [
  ["position", "token", "u", "bin_from", "bin_to", "probability", "margin"],
  ...tokens.map(({ position, text, label, u, left, right, prob, margin }) => (
    [position + 1, text || label, u, left, right, prob, margin === null ? "" : margin])),
];

/** @param {Token} token @returns {Rows} */
export const stripRows = (token) => (token.candidates.some(({ clock }) => clock !== undefined) ? [
  ["token", "probability", "number", "rings_at", "chosen"],
  ...runners(token.candidates, null).map(({ text, prob, number, time, own }) =>
    [text, prob, number, time, own ? 1 : 0]),
] : [
  ["token", "probability", "u_from", "u_to", "chosen"],
  ...token.candidates.map(({ text, prob, left, own }) => [text, prob, left, left + prob, own ? 1 : 0]),
  ...token.excluded.map(({ text, prob }) => [text, prob, "", "", "removed by the filters"]),
]);

/** @param {import("../core/wire_maps.js").Square} map @returns {Rows} */
export const squareRows = ({ target, draft, blind, texts }) => [
  ["of", "u1_from", "u1_to", "u2_from", "u2_to", "first", "second"],
  ...Object.entries({ target, draft: draft?.columns || [], blind: blind?.columns || [] }).flatMap(([name, columns]) =>
    columns.flatMap(({ left, right, token, cells }) => cells.map((cell) =>
      [name, left, right, cell.bottom, cell.top, texts[token], texts[cell.token]]))),
];

/** @param {import("../core/wire_maps.js").Sweep} map @returns {Rows} */
export const sweepRows = ({ target, draft, texts, first }) => [
  ["of", "u_from", "u_to", "position", "token"],
  ...Object.entries({ target, draft: draft || [] }).flatMap(([name, stretches]) =>
    stretches.flatMap(({ left, right, tokens }) => tokens.map((token, k) =>
      [name, left, right, first + k + 1, texts[token]]))),
];

/** @param {import("../core/wire_maps.js").Stairs} map @returns {Rows} */
export const stairsRows = ({ target, draft, texts }) => [
  ["of", "token", "u_from", "u_to"],
  ...target.candidates.map(({ text, prob, left }) => ["target", text, left, left + prob]),
  ...draft.map(({ left, right, tokens: [token] }) => ["draft", texts[token], left, right]),
];

/** @type {Record<string, (map: any) => Rows>} */
const ROWS = { square: squareRows, sweep: sweepRows, staircase: stairsRows, race: raceRows };
