// @ts-check
// How a race that is there already begins.

import { calm } from "../core/dom.js";
import { replay, setSpeed } from "./clock.js";
import { length, telling } from "./lanes.js";

const SLOWLY = 0.25; // of the measured speed: a recorded race may take but a second

/**
 * Such a race plays from its start, the page's first one slowly. Where the visitor wants no motion, the first one
 * stands at a telling call.
 * @param {import("./lanes.js").Page} page
 */
export function settle(page) {
  const { state } = page;
  if (state.opened && !calm()) {
    setSpeed(page, state.opened === "first" ? SLOWLY : 1);
    replay(page);
  } else if (state.opened === "first") {
    const step = telling(state.lanes.ptp.steps);
    state.axis = "calls";
    state.head = step ? step.index + 1 : length(state);
  }
  state.opened = null;
  page.redraw();
}
