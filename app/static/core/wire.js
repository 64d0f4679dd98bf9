// @ts-check
// What the server sends, in full names. Values travel with short keys and as lists, because there are many of them;
// this is the only file that knows those keys and places. app/race/view.py, app/noise/view.py and
// app/acceptance/view.py write them.

import { BASELINE, PARALLEL } from "./shared.js";

export { BASELINE, PARALLEL };

/** @typedef {typeof BASELINE | typeof PARALLEL} LaneName token by token, and in parallel */
/** @type {LaneName[]} */
export const LANES = [BASELINE, PARALLEL];

/**
 * A bin: [left, left + prob). In a race of clocks the bins only lay the odds side by side.
 * @typedef {object} Candidate
 * @property {string} text
 * @property {number} prob
 * @property {number} left
 * @property {boolean} own whether it is the text's token
 * @property {number} [clock] its own number, in a race
 * @property {number} [id] its token, in a race
 */
/** @typedef {{ text: string, prob: number }} Excluded */
/** @typedef {{ text: string, status: string, prob: number }} Draft */
/** @typedef {{ assumed: number, probability: number, kept: boolean, drafts: Draft[] }} Branch */

/**
 * One token of a lane.
 * @typedef {object} Token
 * @property {number} position
 * @property {string} text what it adds to the text; empty within a character
 * @property {string} label its own text, where that is another
 * @property {string} source "target", "accepted", "recovered" or "bonus"
 * @property {number} u
 * @property {number} prob
 * @property {number} left of its bin
 * @property {number} right of its bin
 * @property {number | null} margin how far u may move before another token is picked; null where none can be
 * @property {number | null} flip the u nearest to its own that picks another token; null where there is none
 * @property {[number, number] | null} flipClock in a race: whose clock decides otherwise soonest, and from where on
 * @property {Candidate[]} candidates
 * @property {Excluded[]} excluded removed by the filters
 * @property {number} omitted mass of tokens that are not listed
 * @property {number} filtered mass that the filters removed
 * @property {boolean} alone the target's own token of a call that verified no draft
 * @property {number} call the index of its call
 * @property {object} raw as it came, for files
 */

/**
 * One call of a lane.
 * @typedef {object} Step
 * @property {number} index
 * @property {string} kind "prefill" or "decode"
 * @property {number} seconds
 * @property {number} positions
 * @property {number} accepted
 * @property {string | null} extra the kind of the token behind the accepted drafts; null where the text ended before
 * @property {Draft[]} drafts
 * @property {Branch[]} branches
 * @property {Token[]} emitted
 */

/** @typedef {{ start: number, steps: Step[], total: number }} Chunk */

/** @typedef {{ tokens: number, calls: number, tokens_per_call: number, seconds: number }} LaneFigures */
/**
 * @typedef {object} Summary
 * @property {{ ar?: LaneFigures, ptp?: LaneFigures }} lanes
 * @property {boolean} drafted
 * @property {{ tokens: number, calls: [number, number], ms: [number, number] | null, why: string } | null} fair
 *   both lanes at equal numbers of tokens, pairs AR first; ms per token behind the prompt; why there is no speed-up
 * @property {number | null} speedup
 * @property {number | null} divergence the first position at which the texts part
 * @property {number | null} margin
 * @property {number | null} gap
 */
/**
 * @typedef {object} Meta
 * @property {string} prompt
 * @property {number} seed
 * @property {Record<string, number>} edits u by position, clocks by "position.token"
 * @property {{ temperature: number, top_k: number, top_p: number, order: string, coupling?: string }} sampling
 * @property {string} model
 * @property {string | null} adapter
 * @property {string} device
 * @property {string} dtype
 * @property {{ ar?: string, ptp?: string }} methods
 * @property {"live" | "recorded" | "uploaded"} origin
 * @property {string[]} notes
 */

/** @param {any} raw @returns {Draft} */
const draft = ([text, status, prob]) => ({ text, status, prob });

/** @param {any} raw @returns {Branch} */
const branch = (raw) => ({ assumed: raw.m, probability: raw.p, kept: raw.kept, drafts: raw.d.map(draft) });

/** @param {any} raw @returns {Token} */
export function token(raw) {
  return {
    position: raw.p, text: raw.t, label: raw.l, source: raw.src, u: raw.u, prob: raw.pr, left: raw.lo, right: raw.hi,
    margin: raw.m, flip: raw.f === undefined ? null : raw.f, flipClock: raw.fc || null,
    candidates: raw.c.map((/** @type {any[]} */ [text, prob, left, own, clock, id]) => (
      { text, prob, left, own, clock, id })),
    excluded: raw.ex.map((/** @type {any[]} */ [text, prob]) => ({ text, prob })),
    omitted: raw.om, filtered: raw.xm, alone: false, call: -1, raw,
  };
}

/**
 * A token with the whole distribution of its position.
 * @param {Token} one
 * @param {Token} whole
 * @returns {Token}
 */
export function withBins(one, { candidates, excluded, omitted, filtered, raw }) {
  const { c, ex, om, xm } = /** @type {any} */ (raw);
  return { ...one, candidates, excluded, omitted, filtered, raw: { ...one.raw, c, ex, om, xm } };
}

/**
 * A call; with no drafts to verify, its token stands alone: it is no bonus.
 * @param {any} raw
 * @param {number} index
 * @returns {Step}
 */
export function step(raw, index) {
  const drafts = raw.d.map(draft);
  const emitted = raw.e.map(token).map((/** @type {Token} */ one) => (
    { ...one, call: index, alone: one.source === "bonus" && !drafts.length }));
  return {
    index, kind: raw.k, seconds: raw.s, positions: raw.n, accepted: raw.a, extra: raw.x, drafts,
    branches: raw.b.map(branch), emitted,
  };
}

/** @param {any} raw @returns {Chunk} */
export const chunk = ({ start, steps, total }) => (
  { start, total, steps: steps.map((/** @type {any} */ one, /** @type {number} */ i) => step(one, start + i)) });

// ---- benchmark results ---------------------------------------------------------------------------------

/** @typedef {[number, number] | null} Interval */
/**
 * The figures of a method over some questions; null: not there, or not to be had.
 * @typedef {object} Figures
 * @property {number} questions
 * @property {number} tokens
 * @property {number} calls
 * @property {number | null} perCall tokens per call
 * @property {Interval} perCallInterval
 * @property {number | null} acceptedLength
 * @property {number | null} acceptance
 * @property {number} drafted
 * @property {number | null} ms per token
 * @property {Interval} msInterval
 * @property {string} why there is no speed-up, in a sentence; empty where there is one
 * @property {number | null} speed over our AR
 * @property {Interval} speedInterval
 * @property {number | null} overTransformers
 * @property {[number, number] | null} same answers identical to AR, of how many
 * @property {number} rounded how many of the others part where rounding decides between two tokens
 */

/** @typedef {{ id: string, name: string, title: string, origin: string, categories: string[],
 *              drafting: { point: string, methods: string[] }[] }} Entry */
/** @typedef {{ all: Figures, byCategory: Record<string, Figures> }} MethodFigures */
/** @typedef {Entry & { where: Record<string, string>, complete: boolean, labels: Record<string, string>,
 *                      points: Record<string, Record<string, MethodFigures>>, study: boolean }} Result
 * study: it is charts alone, without methods and questions */

/** @param {any} raw @returns {Figures} */
export const figures = (raw) => ({
  questions: raw.q, tokens: raw.tokens, calls: raw.calls, perCall: raw.tpc, perCallInterval: raw.tpc_i,
  acceptedLength: raw.mal, acceptance: raw.acc, drafted: raw.drafted, ms: raw.ms, msInterval: raw.ms_i,
  why: raw.why, speed: raw.speed, speedInterval: raw.speed_i, overTransformers: raw.hf, same: raw.same,
  rounded: raw.rounded,
});

/** A line of the list of results. @param {any} raw @returns {Entry} */
export const entry = ({ id, name, title, origin, drafting, categories }) => ({
  id, name, title, origin, categories,
  drafting: drafting.map((/** @type {any[]} */ [point, methods]) => ({ point, methods })),
});

/** An entry as it came, for the browser's memory. @param {Entry} entry */
export const packed = ({ drafting, ...rest }) => (
  { ...rest, drafting: drafting.map(({ point, methods }) => [point, methods]) });

/**
 * @template A, B
 * @param {Record<string, A>} record
 * @param {(value: A) => B} change
 * @returns {Record<string, B>}
 */
const mapped = (record, change) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

/** @param {any} raw @returns {Result} */
export const result = (raw) => ({
  ...entry(raw), where: raw.where, complete: raw.complete, labels: raw.labels,
  study: Boolean(raw.study), points: mapped(raw.points, (methods) => mapped(/** @type {any} */ (methods), (found) => (
    { all: figures(found.all), byCategory: mapped(found.by_category, figures) }))),
});
