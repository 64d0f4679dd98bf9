// @ts-check
// Stories: a run, its two texts, its tape. The first one is the base; every edit adds one, and undo goes back.

import { WHOLE } from "../core/strip.js";
import { withBins } from "../core/wire.js";

/** @typedef {import("../core/wire.js").LaneName} LaneName */
/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {{ tokens: Token[], calls: number }} Lane */

/**
 * @typedef {object} Story
 * @property {string} run
 * @property {import("../core/wire.js").Meta} meta
 * @property {import("../core/wire.js").Summary} summary
 * @property {Record<LaneName, Lane>} lanes
 * @property {boolean} fetching
 */

/** @typedef {"square" | "sweep" | "staircase" | "race"} CardKind */

/**
 * @typedef {object} State
 * @property {Story | null} base the text before any edit
 * @property {Story | null} now the text on screen
 * @property {Story[]} history
 * @property {number} index of the story that stands, in the history
 * @property {Story | null} old the text that an edit is about to replace
 * @property {number | null} position of the chosen token
 * @property {number | null} u where the needle was moved to; null: it stands at the token's own u
 * @property {{ id: number, number: number } | null} clock the clock that is being moved, in a race
 * @property {import("../core/strip.js").Part} part of the strip that is shown
 * @property {boolean} busy
 * @property {string | null} ticket
 * @property {"run" | "edit" | "open" | null} asked what the events that come belong to
 * @property {string | null} query of the link that wrote the text; null where no link can
 * @property {string | null} words the query of the text, also by a model of the visitor's own
 * @property {import("./links.js").Link | null} link what the address asks for, until it is done
 * @property {{ position: number, maps: Record<string, any> } | null} recorded maps that came with the first text
 * @property {string | null} plotted the key of the map in the plot under the cards
 * @property {Map<string, Token>} bins whole distributions, by run and position
 * @property {Map<string, { raw: any, map: any }>} maps by kind, run and position
 * @property {ReturnType<typeof setTimeout> | undefined} wanted asks for the bins of a token at which the visitor stays
 * @property {ReturnType<typeof setTimeout> | undefined} timer releases a needle that was moved by keys
 * @property {boolean} dragging
 */

/**
 * What the parts of the page share.
 * @typedef {object} Page
 * @property {HTMLElement} root
 * @property {import("./layout.js").View} view
 * @property {State} state
 * @property {import("../core/banner.js").Banner} banner
 * @property {import("../core/run.js").Run} run
 * @property {import("../core/run.js").Server} server
 * @property {(name: string, request: object) => void} trigger asks Python for an "edit" or to "draw" a map
 * @property {() => void} redraw
 */

/** @param {import("./links.js").Link | null} link @returns {State} */
export const fresh = (link) => ({
  base: null, now: null, history: [], index: -1, old: null, position: null, u: null, clock: null, part: WHOLE,
  busy: false, ticket: null, asked: null, query: null, words: null, link, recorded: null, plotted: null,
  bins: new Map(), maps: new Map(),
  wanted: undefined, timer: undefined, dragging: false,
});

/** @param {any} event @returns {Story} */
export const story = ({ run, meta, summary }) => (
  { run, meta, summary, lanes: { ar: { tokens: [], calls: 0 }, ptp: { tokens: [], calls: 0 } }, fetching: false });

/**
 * Adds calls to a lane; false where calls before them are missing.
 * @param {Lane} lane
 * @param {import("../core/wire.js").Chunk} chunk
 */
export function add(lane, chunk) {
  if (chunk.start > lane.calls) return false;
  for (const { emitted } of chunk.steps.slice(lane.calls - chunk.start)) {
    lane.tokens.push(...emitted);
    lane.calls += 1;
  }
  return true;
}

/** How many calls a lane has by the summary. @param {Story} target @param {LaneName} name */
export const callsOf = (target, name) => target.summary.lanes[name]?.calls || 0;

/** A story's text: that of the lane by which it was written. @param {Story | null} target */
export const tokensOf = (target) =>
  target ? (target.lanes.ar.tokens.length ? target.lanes.ar : target.lanes.ptp).tokens : [];

/** Whether every token has a clock of its own here. @param {import("../core/wire.js").Meta} meta */
export const isRace = ({ sampling }) => sampling.coupling === "gumbel";

/** The edits of a tape at one position. @param {Record<string, number>} edits @param {number | null} position */
export const editsAt = (edits, position) =>
  Object.keys(edits).filter((place) => Math.floor(Number(place)) === position);

/** The text on screen. @param {State} state */
export const lead = (state) => tokensOf(state.now);

/** The story that stands. @param {State} state @returns {Story | undefined} */
export const standing = ({ history, index }) => history[index];

/** The chosen token, with its whole distribution where it is here; null where there is none. @param {State} state */
export function chosen(state) {
  const token = state.position === null ? undefined : lead(state)[state.position];
  if (!token || !state.now) return null;
  const whole = state.bins.get(`${state.now.run} ${token.position}`);
  return whole ? withBins(token, whole) : token;
}

/**
 * Under which a map of the chosen token is kept: what it depends on. A square stays the same while the text before its
 * token does, a sweep also needs the noise behind it. The others show the token itself.
 * @param {State} state
 * @param {string} kind
 * @param {Story | null} [target] the text
 * @param {number | null} [position] of the token
 */
export function mapKey(state, kind, target = state.now, position = state.position) {
  if (!target || position === null || !["square", "sweep"].includes(kind)) return `${kind} ${target?.run} ${position}`;
  const { model, adapter, dtype, edits } = target.meta;
  const raced = isRace(target.meta), from = raced ? position : kind === "sweep" ? position + 1 : Infinity;
  const behind = Object.entries(edits).filter(([place]) => Math.floor(Number(place)) >= from);
  const before = whole(state, target).slice(0, position).map(({ text, label }) => [text, label]);
  return JSON.stringify([kind, state.base?.run, position, model, adapter, dtype, behind, before]);
}

/** A text; while it is decoded anew, what stood before fills its end. @param {State} state @param {Story} target */
function whole(state, target) {
  const tokens = tokensOf(target), old = state.busy && state.asked === "edit" ? tokensOf(state.old) : [];
  return [...tokens, ...old.slice(tokens.length)];
}

/** The roll of a place, also while its text is decoded anew. @param {State} state @param {number} position */
export function rollAt(state, position) {
  if (!state.now) return 0.5;
  if (isRace(state.now.meta)) return whole(state, state.now)[position]?.u ?? 0.5;
  return state.now.meta.edits[position] ?? whole(state, state.now)[position]?.u ?? 0.5;
}

/** The map of the chosen token, if it was drawn. @param {State} state @param {string} kind */
export const foundMap = (state, kind) => state.maps.get(mapKey(state, kind))?.map || null;

/** Where the needle stands. @param {State} state @param {Token} token */
export const needleAt = (state, token) => (state.u === null ? token.u : state.u);

/**
 * Among the first tokens, one that had about even odds and several rivals: there the needle does something.
 * @param {Token[]} tokens
 */
export function telling(tokens) {
  const odds = (/** @type {Token} */ token) => Math.abs(token.prob - 0.5) + (token.candidates.length > 2 ? 0 : 1);
  return tokens.slice(0, 24).reduce((best, token) => (odds(token) < odds(best) ? token : best)).position;
}

/**
 * Puts a story behind the one that stands; what was undone goes.
 * @param {State} state
 * @param {Story} next
 */
export function push(state, next) {
  state.history = [...state.history.slice(0, state.index + 1), next];
  state.index = state.history.length - 1;
}

/**
 * Goes to another story of the history; false if there is none.
 * @param {State} state
 * @param {number} index
 */
export function goTo(state, index) {
  if (index < 0 || index >= state.history.length) return false;
  Object.assign(state, { index, now: state.history[index], base: state.history[0], asked: null, u: null });
  if (state.position !== null) state.position = Math.min(state.position, lead(state).length - 1);
  return true;
}
