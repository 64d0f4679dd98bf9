// @ts-check
// The Noise page: a text with its tape, a needle on the chosen token's strip, and maps drawn on demand.

import { Banner } from "../core/banner.js";
import { closest, expose, takeRoot } from "../core/dom.js";
import { leaveOnEscape, present } from "../core/present.js";
import { hear, markAsk, pressRun, REFUSED, Run, WAITING } from "../core/run.js";
import { cutText } from "../core/tab.js";
import { BASELINE } from "../core/wire.js";
import { plain } from "../core/text.js";
import { listenToAgreement } from "./agreement.js";
import { listenToClocks, nearestClock, rollClocks } from "./clocks.js";
import { drawCards, keepMap, receiveMap } from "./cards.js";
import { exportAs } from "./exports.js";
import { listenToFiles } from "./files.js";
import { editsAt, fresh, isRace, lead, story } from "./history.js";
import { build } from "./layout.js";
import { linked } from "./links.js";
import { drawStrip, listenToNeedle, moveTo, nearestFlip } from "./needle.js";
import { showProgress } from "./progress.js";
import { drawParallel, drawText } from "./text.js";
import { choose, complete, drawMap, edit, fail, halt, keep, receiveChunk, undo, undoAll } from "./work.js";

/** @typedef {import("./history.js").Page} Page */

/** @param {any} gradio what Gradio hands to a component's script */
export function mount({ element, props, watch, server, trigger }) {
  const root = takeRoot(element, ".ptp-noise");
  if (!root) return;
  const banner = new Banner(), state = fresh(linked()), view = build(root, banner);
  const run = new Run(state, server, markAsk);
  /** @type {Page} */
  const page = { root, view, state, banner, run, server, trigger, redraw };
  let pending = false;

  function redraw() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      if (state.now) draw(page);
    });
  }

  /** @param {any} event */
  function receive(event) {
    if (!event || typeof event !== "object" || event.event === "shown" || run.isOver(event)) return;
    if (WITHOUT_RUN[event.event]) {
      WITHOUT_RUN[event.event](event);
      return;
    }
    if (event.event === "open") {
      halt(page);
      Object.assign(state, { asked: "open", query: event.query, words: event.query });
      banner.say(null);
    }
    if (!state.now || event.run !== state.now.run) {
      state.now = story(event);
      if (event.event === "open" || state.asked === "run") Object.assign(state, { position: null, base: null });
    }
    Object.assign(state.now, { meta: event.meta, summary: event.summary });
    OF_RUN[event.event]?.(event, state.now);
  }

  const raced = () => Boolean(state.now && isRace(state.now.meta));

  /** @type {Record<string, (event: any) => void>} */
  const WITHOUT_RUN = {
    error: ({ message }) => fail(page, message),
    run: pressRun,
    start: ({ query, text }) => {
      banner.say("Starting …");
      banner.announce("Started.");
      if (state.asked === "run") Object.assign(state, { query, words: text });
    },
    loading: (event) => banner.loading(event),
    progress: ({ kind, share }) => { if (kind !== "bins") showProgress(view, kind, share); },
    map: (event) => receiveMap(page, event),
  };

  /** @type {Record<string, (event: any, now: import("./history.js").Story) => void>} */
  const OF_RUN = {
    open: ({ maps, position }, now) => {
      if (maps) state.recorded = { position, maps };
      complete(page, now).then(() => showRecorded(page, now));
    },
    steps: (event, now) => {
      const alone = event.lane === BASELINE;
      const anew = alone ? "Decoding anew, token by token …" : "Decoding in parallel, same noise …";
      banner.say(state.asked === "edit" ? anew : "Decoding both lanes in turns, on the same noise …");
      receiveChunk(page, now, event.lane, event.chunk);
      redraw();
    },
    done: (_, now) => {
      run.end();
      banner.say(null);
      const same = now.summary.divergence === null ? "Both lanes are identical." : "";
      banner.announce(`${lead(state).length} tokens decoded. ${same}`);
      complete(page, now);
    },
  };

  run.listen({
    queued: (ticket) => {
      halt(page);
      run.begin(ticket);
      state.asked = "run";
      banner.say(WAITING);
    },
    refused: () => fail(page, REFUSED),
    waiting: (text) => banner.say(text),
    lost: (why) => fail(page, why),
    stopped: () => {
      const drawing = state.asked === null;
      halt(page);
      banner.say(drawing ? "Stopped." : "Stopped. What was decoded so far stays.", "info");
      keep(page);
    },
  });

  listenToActions(page, {
    ...listenToFiles(page, (event) => {
      receive(event);
      props.value = JSON.stringify({ event: "shown", run: event.run });
    }),
    undo: () => undo(page, -1),
    redo: () => undo(page, 1),
    all: () => undoAll(page),
    flip: () => (raced() ? nearestClock(page) : nearestFlip(page)),
    roll: () => (raced() ? rollClocks(page) : moveTo(page, Math.random())),
    restore: () => {
      const places = editsAt(state.now?.meta.edits || {}, state.position);
      if (places.length) edit(page, Object.fromEntries(places.map((place) => [place, null])));
    },
    back: () => choose(page, (state.position || 0) - 1),
    next: () => choose(page, (state.position || 0) + 1),
    present: () => present(root),
    leave: () => present(root, false),
  });
  listenToNeedle(page);
  listenToClocks(page);
  listenToAgreement(page);
  leaveOnEscape(root);
  expose("noiseState", state);
  hear(props, watch, receive);
  if (cutText()) banner.say(cutText(), "info");
}

/** @param {Page} page */
function draw(page) {
  page.root.classList.toggle("is-race", Boolean(page.state.now && isRace(page.state.now.meta)));
  drawText(page);
  drawParallel(page);
  drawStrip(page);
  drawTools(page);
  drawCards(page);
}

/**
 * Shows the maps that came with the page's first text.
 * @param {Page} page
 * @param {import("./history.js").Story} now
 */
function showRecorded(page, now) {
  const { state } = page, { recorded } = state;
  state.recorded = null;
  if (!recorded || state.now !== now || state.base !== now) return;
  for (const [kind, map] of Object.entries(recorded.maps)) {
    keepMap(page, { kind, run: now.run, position: recorded.position, map });
  }
  page.redraw();
}

/** @param {Page} page */
function drawTools({ state, view }) {
  if (!state.now) return;
  const { meta } = state.now, { sampling } = meta;
  view.doing.undo.disabled = state.index <= 0;
  view.doing.redo.disabled = state.index >= state.history.length - 1;
  view.doing.restore.disabled = !editsAt(meta.edits, state.position).length;
  view.doing.all.disabled = !state.base || state.now === state.base;
  view.asked.textContent = plain(meta.prompt);
  view.pill.textContent = [
    meta.origin, meta.model, `seed ${meta.seed}`, `T ${sampling.temperature}`, `top-k ${sampling.top_k || "off"}`,
    `top-p ${sampling.top_p}`,
    isRace(meta) ? "race of clocks" : `order of ${sampling.order === "probability" ? "probability" : "token id"}`,
    `${meta.device} ${meta.dtype}`,
  ].join(" · ");
}

/**
 * @param {Page} page
 * @param {Record<string, () => void>} actions what the buttons do
 */
function listenToActions(page, actions) {
  const { root, view, state } = page;
  root.addEventListener("click", (event) => {
    const pressed = closest(event, "button");
    if (!pressed || !root.contains(pressed)) return;
    const { position, map, save, do: name } = pressed.dataset;
    if (position !== undefined) choose(page, Number(position));
    else if (map && state.busy && pressed.textContent === "Stop") halt(page);
    else if (map) drawMap(page, map);
    else if (save) exportAs(page, save.split(" ")[0], save.split(" ")[1]);
    else if (name && actions[name]) actions[name]();
  });
  // While a text comes, its tokens are drawn anew: one that is pressed may be gone before it is let go.
  root.addEventListener("pointerdown", (event) => {
    const position = closest(event, ".nz-token")?.dataset.position;
    if (state.busy && position !== undefined && event.pointerType === "mouse") choose(page, Number(position));
  });
  root.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      undo(page, event.shiftKey ? 1 : -1);
      return;
    }
    if (!closest(event, ".nz-token") || state.position === null) return;
    const forward = view.text.dir === "rtl" ? -1 : 1, { position } = state; // arrows go where they point
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: position - forward, ArrowRight: position + forward, Home: 0, End: lead(state).length - 1,
    };
    if (targets[event.key] === undefined) return;
    event.preventDefault();
    choose(page, targets[event.key]);
  });
}
