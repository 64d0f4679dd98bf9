// @ts-check
// Both timelines on one axis, and where the clock stands on it.

import { el } from "../core/dom.js";
import { counted } from "../core/text.js";
import { LANES, PARALLEL } from "../core/wire.js";
import { length, mainLane } from "./lanes.js";

/** @typedef {import("./lanes.js").Page} Page */

/** @param {Page} page */
export function drawTimeline({ state, view }) {
  const ahead = state.live && state.axis === "calls" ? state.expected : 0; // so that bars keep their width
  const total = Math.max(length(state), ahead, 1e-9);
  for (const name of LANES) drawBars(state, view.bars[name], name, total);
  const words = clockText(state);
  view.scrub.max = "1000";
  view.scrub.value = String(Math.round((1000 * state.head) / total));
  view.scrub.setAttribute("aria-valuetext", words);
  view.clock.textContent = words;
  for (const [axis, node] of Object.entries(view.axis)) node.setAttribute("aria-pressed", String(axis === state.axis));
}

/**
 * A bar for each call of a lane.
 * @param {import("./lanes.js").State} state
 * @param {HTMLElement} box
 * @param {import("./lanes.js").LaneName} name
 * @param {number} total the length of the axis
 */
function drawBars(state, box, name, total) {
  const track = state.lanes[name];
  while (box.childElementCount < track.steps.length) {
    box.append(el("button", { class: "ptp-call", type: "button", tabindex: "-1", "data-call": box.childElementCount }));
  }
  const room = box.clientWidth;
  [...box.children].forEach((child, i) => {
    const node = /** @type {HTMLElement} */ (child), step = track.steps[i], tokens = step.emitted.length;
    const [from, to] = state.axis === "calls" ? [i, i + 1] : [track.ends[i], track.ends[i + 1]];
    node.style.left = `${(100 * from) / total}%`;
    node.style.width = `calc(${(100 * (to - from)) / total}% - 2px)`;
    node.textContent = name === PARALLEL && ((to - from) / total) * room > 15 ? String(tokens) : "";
    const ms = (1000 * step.seconds).toFixed(0);
    node.title = `call ${i + 1}: ${counted(tokens, "token")}, ${counted(step.positions, "position")}, ${ms} ms`;
    node.classList.toggle("is-future", i >= track.calls);
    node.classList.toggle("is-now", i === track.calls - 1);
    node.classList.toggle("is-many", tokens > 1);
  });
}

/** @param {import("./lanes.js").State} state */
function clockText(state) {
  const track = mainLane(state);
  const ms = state.axis === "ms" ? state.head.toFixed(0) : Math.round(track.ends[track.calls] || 0);
  return `call ${track.calls} of ${track.steps.length} · ${ms} ms`;
}
