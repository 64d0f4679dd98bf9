// @ts-check
// The noise maps that the server sends, in full names, as wire.js has the rest. app/noise/view.py writes them.

import { token } from "./wire.js";

/** @typedef {import("./wire.js").Token} Token */
/** @typedef {{ bottom: number, top: number, token: number }} Cell */
/** @typedef {{ left: number, right: number, token: number, cells: Cell[] }} Column u1 in [left, right) gives `token` */
/** @typedef {{ columns: Column[], second: number, pair: number, error: number }} DraftSquare */
/** @typedef {Record<string, string>} Texts by token */
/** @typedef {{ target: Column[], draft: DraftSquare | null, blind: DraftSquare | null, texts: Texts,
 *              blind_name: string, calls: number }} Square */
/** @typedef {{ left: number, right: number, tokens: number[] }} Stretch */
/** @typedef {{ first: number, last: number, target: Stretch[], draft: Stretch[] | null, error: number,
 *              blind: Stretch[] | null, blind_name: string,
 *              probes: [number, number], texts: Texts, calls: number }} Sweep */
/** @typedef {{ kind: string | null, draft: Stretch[], agreement: number, total_variation: number,
 *              blind: number | null, blind_agreement: number | null, blind_name: string,
 *              probes: [number, number] | null, texts: Texts, target: Token, calls: number }} Stairs */

/**
 * A token in a race of clocks; null: it does not run there.
 * @typedef {{ token: number, text: string, clock: number, prob: number | null, arrival: number | null,
 *             draftProb: number | null, draftArrival: number | null }} Runner
 */
/** @typedef {{ runners: Runner[], count: number, lead: number | null, draft: number | null, drafted_by: string,
 *              trained: boolean, sharpness: number | null, agreement: number | null, limit: number | null,
 *              likeliest: number | null, target: Token, calls: number }} ClockRace */

/** @param {any[]} raw @returns {Runner} */
const runner = ([one, text, clock, prob, arrival, draftProb, draftArrival]) => (
  { token: one, text, clock, prob, arrival, draftProb, draftArrival });

/** @param {any} raw @returns {Column} */
const column = ([left, right, first, cells]) => ({
  left, right, token: first,
  cells: cells.map((/** @type {any[]} */ [bottom, top, second]) => ({ bottom, top, token: second })),
});

/** @param {any} raw @returns {DraftSquare | null} */
const draftSquare = (raw) => raw && { ...raw, columns: raw.columns.map(column) };

/** @param {any} raw @returns {Stretch} */
const stretch = ([left, right, tokens]) => ({ left, right, tokens });

/** A map by its kind: what the server's `map` event carries. @type {Record<string, (raw: any) => any>} */
export const MAPS = {
  bins: token,
  square: (raw) => /** @type {Square} */ ({
    ...raw, target: raw.target.map(column), draft: draftSquare(raw.draft), blind: draftSquare(raw.blind),
  }),
  sweep: (raw) => /** @type {Sweep} */ ({
    ...raw, target: raw.target.map(stretch), draft: raw.draft && raw.draft.map(stretch),
    blind: raw.blind && raw.blind.map(stretch),
  }),
  staircase: (raw) => /** @type {Stairs} */ ({
    ...raw, draft: raw.draft.map(stretch), target: token(raw.target),
  }),
  race: (raw) => /** @type {ClockRace} */ ({ ...raw, runners: raw.runners.map(runner), target: token(raw.target) }),
};
