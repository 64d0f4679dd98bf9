// @ts-check
// The Acceptance page: a benchmark's figures, its exhibits, the questions behind a bar, and live runs.

import { Banner } from "../core/banner.js";
import { closest, expose, find, takeRoot } from "../core/dom.js";
import { leaveOnEscape, present } from "../core/present.js";
import { hear, REFUSED, Run, WAITING } from "../core/run.js";
import { cutText } from "../core/tab.js";
import { closeBehind } from "./behind.js";
import { drawControls, listenToControls, pick } from "./controls.js";
import { drawExhibits, saveExhibit } from "./exhibits.js";
import { drawFigures, summary } from "./figures.js";
import { listenToFiles } from "./files.js";
import { build, stopButton } from "./layout.js";
import { fresh, open, show } from "./results.js";
import { drawTable } from "./table.js";

/** @typedef {import("./results.js").Page} Page */

/** @param {any} gradio what Gradio hands to a component's script */
export function mount({ element, props, watch, server }) {
  const root = takeRoot(element, ".ptp-acceptance");
  if (!root) return;
  const stop = stopButton(), banner = new Banner({ busy: "is-running", tools: [stop] });
  const state = fresh(), view = build(root, banner);
  /** @type {Page} */
  const page = {
    root, view, state, banner, server, cards: [], draw, drawControls: () => drawControls(page),
    tell: () => banner.announce(summary(state)),
  };
  const run = new Run(state, server, (on) => {
    stop.hidden = !on;
    document.querySelector("#ptp-bench")?.classList.toggle("is-busy", on);
  });

  function draw() {
    drawControls(page);
    view.empty.hidden = Boolean(state.view);
    view.body.hidden = !state.view;
    if (!state.view) return;
    view.body.classList.toggle("is-study", state.view.study);
    drawFigures(page);
    drawTable(page);
    drawExhibits(page);
  }

  /** @type {Record<string, (event: any) => unknown>} */
  const events = {
    open: (event) => open(page, event),
    start: ({ total }) => banner.say(`Starting: ${total} answers …`, "busy", 0),
    loading: (event) => banner.loading(event),
    progress: ({ done, total, left, doing, result }) => {
      banner.say(`${done} of ${total} answers${timeLeft(left)} · ${doing}`, "busy", done / total);
      if (result) follow(page, result);
    },
    error: ({ message }) => {
      run.end();
      banner.say(message, "error");
    },
    done: async ({ result }) => {
      run.end();
      await show(page, result);
      banner.say(null);
      banner.announce(`The run is done. ${summary(state)}`);
    },
  };
  /** @param {string} why */
  function fail(why) {
    run.halt();
    banner.say(why, "error");
  }

  run.listen({
    queued: (ticket) => {
      run.begin(ticket);
      state.live = null;
      banner.say(WAITING);
      banner.node.scrollIntoView({ block: "nearest" });
    },
    refused: () => fail(REFUSED),
    waiting: (text) => banner.say(text),
    lost: fail,
  });
  stop.addEventListener("click", async () => {
    const { live } = state;
    run.halt();
    const kept = "Stopped. The answers so far stay, in the list of results.";
    banner.say(live ? kept : "Stopped before the first answer.", "info");
    if (live) await show(page, live);
    view.result.focus();
  });

  listenToControls(page);
  listenToActions(page, {
    ...listenToFiles(page), present: () => present(root), leave: () => present(root, false),
  });
  leaveOnEscape(root);
  let width = 0;
  new ResizeObserver(() => {
    if (view.exhibits.clientWidth === width) return;
    width = view.exhibits.clientWidth;
    for (const { chart } of page.cards) chart?.draw();
  }).observe(view.exhibits);
  expose("acceptanceState", state);
  hear(props, watch, (event) => { if (event && !run.isOver(event)) events[event.event]?.(event); });
  if (cutText()) banner.say(cutText(), "info");
}

/** @param {number | null | undefined} seconds */
function timeLeft(seconds) {
  if (seconds === null || seconds === undefined) return "";
  return seconds < 90 ? `, about ${Math.ceil(seconds)} s left` : `, about ${Math.ceil(seconds / 60)} min left`;
}

/**
 * The rows so far are shown while a run goes on, one request at a time. A visitor who looks at something else, or at
 * the questions behind a bar, is left alone until the end.
 * @param {Page} page
 * @param {string} id of the result
 */
async function follow(page, id) {
  const { state, view } = page, first = state.live !== id;
  const looking = view.exhibits.contains(document.activeElement) || find(view.exhibits, ".ptp-behind") !== null;
  state.live = id;
  if (state.following || (!first && (state.view?.id !== id || looking))) return;
  state.following = true;
  if (first) Object.assign(state, { point: "", category: "" });
  await show(page, id, {}, true);
  state.following = false;
}

/**
 * @param {Page} page
 * @param {Record<string, () => void>} actions what the buttons do
 */
function listenToActions(page, actions) {
  page.root.addEventListener("click", (event) => {
    const method = closest(event, "[data-method]"), save = closest(event, "[data-save]");
    const action = closest(event, "[data-do]");
    if (method) pick(page, method.dataset.method || "");
    else if (save) saveExhibit(page, save);
    else if (closest(event, ".ptp-behind .ptp-close")) closeBehind(closest(event, ".ptp-exhibit"));
    else if (action) actions[action.dataset.do || ""]?.();
  });
  page.root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !closest(event, ".ptp-behind")) return;
    event.preventDefault();
    closeBehind(closest(event, ".ptp-exhibit"));
  });
}
