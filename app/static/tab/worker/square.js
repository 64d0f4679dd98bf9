// @ts-check
// The unit square in the browser: which pair of tokens each (u1, u2) gives, for the target and for its drafts.
//
// The target's square is exact: u1 picks the first token, and with it the slices for u2. Drafts are asked at the
// middles of a grid. A draft is right where its second token is the target's.

import { candidates, columnOf } from "./sampling.js";
import { Slots, UNTOLD } from "./slots.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./session.js").Cache} Cache */
/** @typedef {import("./sampling.js").Sampling} Sampling */
/** @typedef {import("./sampling.js").Candidates} Candidates */
/**
 * @typedef {{ bottom: number, top: number, token: number }} Cell
 * @typedef {{ left: number, right: number, token: number, cells: Cell[] }} Column
 * @typedef {{ tokens: number[][], share: number }} Drawn a draft's second token at each [u1][u2] of the grid, and on
 *   which share of the grid it is the target's
 * @typedef {{ target: Column[], grid: number, drafts: Record<string, Drawn> }} Square
 */

export const GRID = 24, MOST_FIRST = 48;
const range = (/** @type {number} */ from, /** @type {number} */ to) =>
  Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);
const MIDDLES = range(0, GRID).map((i) => (i + 0.5) / GRID);

/**
 * The square of the two tokens behind a text.
 * @param {Network} network
 * @param {Cache} cache
 * @param {number[]} text
 * @param {Sampling} sampling
 * @param {boolean} [chained]
 * @returns {Square}
 */
export function unitSquare(network, cache, text, sampling, chained = true) {
  const { hidden, vocab } = network.model, end = text.length, first = cache.keep(text);
  const rows = range(first, end);
  network.run(text.slice(first), [], { positions: rows, seen: rows.map((p) => range(0, p + 1)), first });
  cache.tokens = [...text];
  const place = network.at.h / 4 + (end - first - 1) * hidden;
  const settling = network.floats.slice(place, place + hidden);
  const above = candidates(network.logits(place, 1).subarray(0, vocab), sampling);
  const byChance = above.tokens.map((_, i) => i).sort((a, b) => above.probs[b] - above.probs[a]);
  const listed = byChance.slice(0, MOST_FIRST).sort((a, b) => a - b), tokens = listed.map((i) => above.tokens[i]);
  network.run(tokens, [], {
    positions: tokens.map(() => end), seen: tokens.map((_, i) => [...range(0, end), end + i]), first: end,
  });
  const all = network.logits(network.at.h / 4, tokens.length), wide = network.logitsWidth;
  const second = tokens.map((_, i) => candidates(all.subarray(i * wide, i * wide + vocab), sampling));
  const target = listed.map((i, at) => ({
    left: i ? above.right[i - 1] : 0, right: above.right[i], token: above.tokens[i], cells: cellsOf(second[at]),
  }));
  const firsts = MIDDLES.map((u) => Math.max(target.findIndex(({ right }) => right > u), 0));
  const truth = firsts.map((at) => MIDDLES.map((u) => second[at].tokens[columnOf(second[at], u)]));
  /** @type {Record<string, Drawn>} */
  const drafts = {};
  for (const name of Object.keys(network.head.adapters)) {
    const slots = new Slots(network, name), settled = firsts.map((at) => target[at].token);
    const found = draftsOf(slots, text, settled, settling, sampling.temperature, chained);
    const right = found.flatMap((column, i) => column.filter((token, j) => token === truth[i][j]));
    drafts[name] = { tokens: found, share: right.length / GRID ** 2 };
  }
  return { target, grid: GRID, drafts };
}

/** @param {Candidates} found */
const cellsOf = ({ tokens, right }) =>
  tokens.map((token, i) => ({ bottom: i ? right[i - 1] : 0, top: right[i], token }));

/**
 * The second draft at each place of the grid, told the first token where a chain head does so.
 * @param {Slots} slots @param {number[]} text @param {number[]} settled the target's first token of each column
 * @param {Float32Array} settling @param {number} temperature @param {boolean} chained
 */
function draftsOf(slots, text, settled, settling, temperature, chained) {
  const { network, config } = slots, end = text.length, told = config.reads_u;
  const columns = told ? GRID : 1, deep = told ? GRID : 1; // without u, all places are one
  const u = told ? MIDDLES : [UNTOLD];
  // the slots that lead to the second draft: with a lead of 1 it is a branch's first slot, otherwise its second
  const before = config.lead ? 0 : columns;
  const embedded = slots.embed(u, temperature);
  const first = config.anchor ? anchored(slots, embedded, text[end - 1]) : embedded;
  const rows = config.lead ? range(0, columns * deep).map((i) => first[i % deep])
    : [...first, ...range(0, columns * deep).map((i) => embedded[i % deep])];
  const seen = rows.map((_, i) => i < before ? [...range(0, end), end + i]
    : [...range(0, end), ...(before ? [end + Math.floor((i - before) / deep)] : []), end + i]);
  const positions = rows.map((_, i) => end + config.lead + config.shift + (i < before || !before ? 0 : 1));
  network.run([], rows, { positions, seen, first: end }, slots.adapter);
  const { hidden } = network.model, place = network.at.h / 4;
  const states = range(before, rows.length).map((i) =>
    network.floats.slice(place + i * hidden, place + (i + 1) * hidden));
  const at = (/** @type {number} */ i, /** @type {number} */ j) => (told ? i * GRID + j : 0);
  if (!(config.chain > 0 && chained)) {
    const guesses = slots.guesses(states);
    return settled.map((_, i) => range(0, GRID).map((j) => guesses[at(i, j)].token));
  }
  const places = range(0, told ? GRID * GRID : GRID).map((n) => (told ? [Math.floor(n / GRID), n % GRID] : [n, 0]));
  const guesses = slots.guesses(slots.chained(
    places.map(([i, j]) => states[at(i, j)]), places.map(([i]) => [text[end - 1], settled[i]]),
    places.map(() => settling),
  ));
  return settled.map((_, i) => range(0, GRID).map((j) => guesses[told ? i * GRID + j : i].token));
}

/** @param {Slots} slots @param {Float32Array[]} rows @param {number} token */
function anchored({ network }, rows, token) {
  const anchor = new Float32Array(network.model.hidden);
  network.embed(token, anchor);
  return rows.map((row) => row.map((value, i) => value + anchor[i]));
}
