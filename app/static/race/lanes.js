// @ts-check
// The race on screen: two lanes of calls and tokens, and where its clock stands.

import { LANES } from "../core/wire.js";

/** @typedef {import("../core/wire.js").LaneName} LaneName */
/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {import("../core/wire.js").Step} Step */
/** @typedef {"calls" | "ms"} Axis */

/**
 * @typedef {object} Lane
 * @property {Step[]} steps
 * @property {Token[]} tokens
 * @property {number[]} ends in ms, of each call; the first entry is the start
 * @property {number} calls that the clock has passed
 * @property {number} shown tokens of those calls
 */

/**
 * @typedef {object} State
 * @property {string | null} run
 * @property {import("../core/wire.js").Meta | null} meta
 * @property {import("../core/wire.js").Summary | null} summary
 * @property {Record<LaneName, Lane>} lanes
 * @property {Axis} axis
 * @property {number} head where the clock stands, in calls or ms
 * @property {boolean} playing
 * @property {number} speed
 * @property {boolean} live tokens are coming
 * @property {boolean} busy a run is under way or waits
 * @property {string | null} ticket of that run
 * @property {string | null} link its query
 * @property {string | null} text the query of its text, also by a model of the visitor's own
 * @property {"first" | "again" | null} opened a race that was there already
 * @property {{ lane: LaneName, position: number } | null} pinned the token that a visitor chose
 * @property {Partial<Record<LaneName, boolean>>} fetching
 * @property {number} expected tokens of a run that has begun
 * @property {string | null} chosen the method of the next run, once it was changed
 * @property {boolean} cut this visitor stopped the run
 */

/**
 * What the parts of the page share.
 * @typedef {object} Page
 * @property {HTMLElement} root
 * @property {import("./layout.js").View} view
 * @property {State} state
 * @property {import("../core/banner.js").Banner} banner
 * @property {number} frame the clock's next frame
 * @property {{ call: string | null, token: string | null, map: string | null }} drawn what is drawn already
 * @property {() => void} redraw
 */

/** @returns {Lane} */
const lane = () => ({ steps: [], tokens: [], ends: [0], shown: 0, calls: 0 });

/** @returns {State} */
export const fresh = () => ({
  run: null, meta: null, summary: null, lanes: { ar: lane(), ptp: lane() }, axis: "calls", head: 0, playing: false,
  live: false, busy: false, ticket: null, link: null, text: null, opened: null,
  pinned: null, speed: 1, fetching: {}, expected: 0,
  cut: false, chosen: null,
});

/**
 * Another run: all that belonged to the last one goes.
 * @param {State} state
 * @param {string} run
 */
export function clear(state, run) {
  const { axis, speed, busy, ticket, expected, link, text, chosen } = state;
  Object.assign(state, fresh(), { run, axis, speed, busy, ticket, expected, link, text, chosen });
}

/**
 * Adds calls to a lane and returns their tokens; null where calls before them are missing.
 * @param {Lane} track
 * @param {import("../core/wire.js").Chunk} chunk
 */
export function add(track, chunk) {
  if (chunk.start > track.steps.length) return null;
  /** @type {Token[]} */
  const added = [];
  for (const step of chunk.steps.slice(track.steps.length - chunk.start)) {
    track.steps.push(step);
    track.ends.push(track.ends[track.ends.length - 1] + 1000 * step.seconds);
    added.push(...step.emitted);
  }
  track.tokens.push(...added);
  return added;
}

/** How many calls a lane has by the summary. @param {State} state @param {LaneName} name */
export const callsOf = (state, name) => state.summary?.lanes[name]?.calls || 0;

/** Whether all calls are here. @param {State} state */
export const complete = (state) => LANES.every((name) => state.lanes[name].steps.length === callsOf(state, name));

/** Whether the race was stopped: by this visitor, or with one lane behind. @param {State} state */
export function stopped({ lanes, summary, cut }) {
  if (cut) return true;
  const [ar, ptp] = [lanes.ar.tokens.length, lanes.ptp.tokens.length];
  return ar > 0 && summary?.divergence === null && ar !== ptp;
}

/** The parallel lane's call at the clock; null before its first. @param {State} state */
export function currentStep({ lanes: { ptp } }) {
  return ptp.calls ? ptp.steps[ptp.calls - 1] : null;
}

/** The parallel lane, or the other where there is none. @param {State} state */
export const mainLane = ({ lanes }) => (lanes.ptp.steps.length ? lanes.ptp : lanes.ar);

/**
 * The first of the calls that brought most tokens, of those that checked drafts; undefined where none did.
 * @param {Step[]} steps
 */
export function telling(steps) {
  const checked = steps.filter((step) => step.drafts.length);
  const most = Math.max(...checked.map((step) => step.emitted.length));
  return checked.find((step) => step.emitted.length === most);
}

/** The longest the race lasts on its axis. @param {State} state */
export const length = (state) => Math.max(...LANES.map((name) => {
  const track = state.lanes[name];
  return state.axis === "calls" ? track.steps.length : track.ends[track.steps.length];
}));

/**
 * How many calls of a lane the clock has passed.
 * @param {State} state
 * @param {Lane} track
 */
export function callsShown(state, track) {
  if (state.axis === "calls") return Math.min(Math.floor(state.head + 1e-6), track.steps.length);
  let calls = 0;
  while (calls < track.steps.length && track.ends[calls + 1] <= state.head + 1e-6) calls += 1;
  return calls;
}
