// @ts-check
// The keyboard.

import { isPresenting, present } from "../core/present.js";
import { goTo, play, setAxis, stepBy } from "./clock.js";
import { length } from "./lanes.js";
import { movePin } from "./token.js";

/** @typedef {import("./lanes.js").Page} Page */

const TYPING = "input:not([type=range]), textarea, select, [contenteditable=true]";
const SCROLLING = ["ArrowLeft", "ArrowRight", "Home", "End", " "];

/** @param {Page} page */
export function listenToKeys(page) {
  document.addEventListener("keydown", (event) => {
    const { root, view } = page, target = event.target instanceof Element ? event.target : root;
    const presenting = isPresenting(root);
    if (presenting && event.key === "Escape") {
      present(root, false);
      page.redraw();
      return;
    }
    if (target.closest(TYPING) || event.ctrlKey || event.metaKey || event.altKey || !root.isConnected) return;
    if (!root.contains(target) && !presenting && target !== document.body) return;
    if (target === view.map && SCROLLING.includes(event.key)) return;
    // a button reached by keyboard keeps its keys; one that was clicked gives Space back to the race
    const pressed = target.matches("button:focus-visible, summary, [data-do=leave]");
    if (pressed && (event.key === " " || event.key === "Enter")) return;
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action(page);
  });
}

/** @type {Record<string, (page: Page) => void>} */
const ACTIONS = {
  " ": (page) => play(page, !page.state.playing),
  ArrowRight: (page) => stepBy(page, 1),
  ArrowLeft: (page) => stepBy(page, -1),
  Home: (page) => goTo(page, 0),
  End: (page) => goTo(page, length(page.state)),
  ",": (page) => movePin(page, -1),
  ".": (page) => movePin(page, 1),
  a: (page) => setAxis(page, page.state.axis === "calls" ? "ms" : "calls"),
  p: (page) => {
    present(page.root);
    page.redraw();
  },
  Escape: (page) => {
    if (!page.state.pinned) return;
    page.state.pinned = null;
    page.redraw();
  },
};
