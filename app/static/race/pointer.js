// @ts-check
// What a visitor points at: tokens, calls, the tape, the place in the race.

import { closest, findAll } from "../core/dom.js";
import { BASELINE, PARALLEL } from "../core/wire.js";
import { goTo, play, seek } from "./clock.js";
import { length } from "./lanes.js";
import { drawMap } from "./map.js";
import { pin } from "./token.js";

/** @param {import("./lanes.js").Page} page */
export function listenToPointer(page) {
  const { root, view, state } = page;
  root.addEventListener("click", (event) => {
    const token = closest(event, ".ptp-token"), bar = closest(event, ".ptp-u-bar"), call = closest(event, ".ptp-call");
    if (token) pin(page, token.dataset.lane === BASELINE ? BASELINE : PARALLEL, Number(token.dataset.position));
    else if (bar) {
      const position = Number(bar.dataset.position);
      pin(page, state.lanes.ptp.tokens[position] ? PARALLEL : BASELINE, position);
    } else if (call) {
      const track = call.parentElement === view.bars.ar ? state.lanes.ar : state.lanes.ptp;
      const i = Number(call.dataset.call);
      goTo(page, state.axis === "calls" ? i + 1 : track.ends[i + 1]);
    }
  });
  const link = (/** @type {boolean} */ on) => (/** @type {Event} */ event) => {
    const position = closest(event, "[data-position]")?.dataset.position;
    if (position === undefined) return;
    for (const node of findAll(root, `[data-position="${position}"]`)) node.classList.toggle("is-linked", on);
  };
  root.addEventListener("mouseover", link(true));
  root.addEventListener("mouseout", link(false));
  view.scrub.addEventListener("input", () => {
    const share = Number(view.scrub.value) / 1000; // before anything is drawn again
    play(page, false);
    seek(page, share * length(state));
  });
  view.speed.addEventListener("change", () => {
    view.speed.dataset.chosen = "yes";
    state.speed = Number(view.speed.value);
  });
  view.mapBox.addEventListener("toggle", () => {
    page.drawn.map = null;
    drawMap(page);
  });
}
