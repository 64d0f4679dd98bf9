// @ts-check
// The race's clock: it plays measured times, steps from call to call, and goes where it is sent.

import { clamp } from "../core/dom.js";
import { stepText } from "./call.js";
import { length, mainLane } from "./lanes.js";

/** @typedef {import("./lanes.js").Page} Page */

const CALLS_PER_SECOND = 6;

/**
 * @param {Page} page
 * @param {number} head
 */
export function seek(page, head) {
  page.state.head = clamp(head, 0, length(page.state));
  page.redraw();
  page.banner.announce(stepText(page.state));
}

/**
 * Stops playing and goes there.
 * @param {Page} page
 * @param {number} head
 */
export function goTo(page, head) {
  play(page, false);
  seek(page, head);
}

/**
 * To the neighbouring end of a call of the parallel lane.
 * @param {Page} page
 * @param {1 | -1} direction
 */
export function stepBy(page, direction) {
  const { state } = page, { ends } = mainLane(state);
  play(page, false);
  if (state.axis === "calls") {
    seek(page, Math.round(state.head) + direction);
    return;
  }
  const next = direction > 0
    ? ends.find((end) => end > state.head + 1e-6)
    : [...ends].reverse().find((end) => end < state.head - 1e-6);
  seek(page, next === undefined ? (direction > 0 ? length(state) : 0) : next);
}

/**
 * Plays or pauses; from the start where the clock stands at the end.
 * @param {Page} page
 * @param {boolean} on
 */
export function play(page, on) {
  const { state, view } = page;
  if (on && !state.playing && state.head >= length(state) - 1e-6) state.head = 0;
  state.playing = on && length(state) > 0;
  view.play.textContent = state.playing ? "❚❚" : "▶";
  view.play.setAttribute("aria-label", state.playing ? "Pause" : "Play");
  if (state.playing) tickFrom(page, performance.now());
  page.redraw();
}

/**
 * @param {Page} page
 * @param {number} last the time of the frame before
 */
function tickFrom(page, last) {
  const { state } = page;
  cancelAnimationFrame(page.frame);
  page.frame = requestAnimationFrame((now) => {
    if (!state.playing || !page.root.isConnected) return;
    const passed = (now - last) * state.speed;
    state.head += state.axis === "calls" ? (passed / 1000) * CALLS_PER_SECOND : passed;
    if (state.head >= length(state)) {
      state.head = length(state);
      play(page, false);
      return;
    }
    page.redraw();
    tickFrom(page, now);
  });
}

/**
 * Changes the axis; the clock keeps its share of the way.
 * @param {Page} page
 * @param {import("./lanes.js").Axis} axis
 */
export function setAxis(page, axis) {
  const { state } = page;
  if (axis === state.axis) return;
  const share = length(state) ? state.head / length(state) : 0;
  state.axis = axis;
  state.head = share * length(state);
  if (axis === "calls") state.head = Math.round(state.head);
  page.redraw();
}

/**
 * Sets how fast the clock plays, unless the visitor did.
 * @param {Page} page
 * @param {number} speed
 */
export function setSpeed({ state, view }, speed) {
  if (view.speed.dataset.chosen) return;
  state.speed = speed;
  view.speed.value = String(speed);
}

/**
 * Plays a race from its start, in measured time.
 * @param {Page} page
 */
export function replay(page) {
  page.state.axis = "ms";
  page.state.head = 0;
  play(page, true);
}
