// @ts-check
// The Race page: hears the server's events, keeps the run, and replays it from measured times.

import { remember, rememberText } from "../core/address.js";
import { Banner } from "../core/banner.js";
import { calm, expose, find, takeRoot } from "../core/dom.js";
import { present } from "../core/present.js";
import { ask, hear, leaveRun, markAsk, pressRun, REFUSED, Run, WAITING } from "../core/run.js";
import { cutText } from "../core/tab.js";
import { chunk, LANES } from "../core/wire.js";
import { drawCall } from "./call.js";
import { goTo, play, replay, setAxis, setSpeed, stepBy } from "./clock.js";
import { drawFigures, summaryText } from "./figures.js";
import { listenToFiles } from "./files.js";
import { listenToKeys } from "./keys.js";
import { add, callsOf, clear, complete, fresh, length } from "./lanes.js";
import { build } from "./layout.js";
import { drawMap } from "./map.js";
import { settle } from "./opening.js";
import { listenToPointer } from "./pointer.js";
import { append, drawTexts } from "./text.js";
import { drawTimeline } from "./timeline.js";
import { drawToken } from "./token.js";

/** @typedef {import("./lanes.js").Page} Page */
/** @typedef {import("./lanes.js").LaneName} LaneName */

const LOST = "The server did not answer. Reload the page, or run the race again.";

/** @param {any} gradio what Gradio hands to a component's script */
export function mount({ element, props, watch, server, trigger }) {
  const root = takeRoot(element, ".ptp-race");
  if (!root) return;
  const banner = new Banner(), state = fresh(), view = build(root, banner);
  /** @type {Page} */
  const page = { root, view, state, banner, frame: 0, drawn: { call: null, token: null, map: null }, redraw };
  const run = new Run(state, server, markAsk);

  function redraw() {
    drawTexts(page);
    drawFigures(page);
    drawTimeline(page);
    drawCall(page);
    drawToken(page);
    drawMap(page);
  }

  // ---- the run's calls -----------------------------------------------------------------------------

  /** @param {string} name of the run */
  function begin(name) {
    clear(state, name);
    for (const lane of LANES) {
      view.lane[lane].text.replaceChildren();
      view.bars[lane].replaceChildren();
    }
    view.tape.replaceChildren();
    view.map.replaceChildren();
  }

  /**
   * Adds calls to a lane; asks for those that an update was merged away with, and for those still to come.
   * @param {LaneName} name
   * @param {any} raw
   */
  function receiveChunk(name, raw) {
    const track = state.lanes[name], found = chunk(raw), added = add(track, found);
    if (added) append(page, name, added);
    if (track.steps.length < found.total) fetchFrom(name);
  }

  /** @param {LaneName} name */
  async function fetchFrom(name) {
    const { run: asked } = state;
    if (state.fetching[name] || !asked) return;
    state.fetching[name] = true;
    const request = { run: asked, lane: name, start: state.lanes[name].steps.length };
    const found = await ask(server, "fetch_steps", request, LOST);
    if (state.run !== asked) return;
    state.fetching[name] = false;
    if (found.error) {
      banner.say(found.error, "error");
      return;
    }
    state.summary = found.summary; // a run that was stopped may have come a call further than it told
    if (!found.steps.length) {
      redraw();
      return;
    }
    receiveChunk(name, found);
    if (!state.live && !state.playing) state.head = length(state);
    redraw();
    if (!state.live && complete(state)) settle(page);
  }

  // ---- events --------------------------------------------------------------------------------------

  /** @param {any} event */
  function receive(event) {
    if (!event || typeof event !== "object" || event.event === "shown" || run.isOver(event)) return;
    if (WITHOUT_RUN[event.event]) {
      WITHOUT_RUN[event.event](event);
      return;
    }
    if (event.event === "open") halt();
    if (event.run !== state.run) begin(event.run);
    if (event.meta) state.meta = event.meta;
    state.summary = event.summary;
    OF_RUN[event.event]?.(event);
    redraw();
  }

  /** @type {Record<string, (event: any) => void>} */
  const WITHOUT_RUN = {
    error: ({ message }) => {
      state.live = false;
      run.end();
      banner.say(message, "error");
    },
    run: pressRun,
    start: ({ tokens, query, text }) => {
      run.busy(true);
      banner.say("Starting …");
      banner.announce("Started.");
      Object.assign(state, { expected: tokens, link: query, text });
    },
    loading: (event) => banner.loading(event),
  };

  /** @type {Record<string, (event: any) => void>} */
  const OF_RUN = {
    open: ({ first, query, meta }) => {
      run.busy(false);
      banner.say(null);
      Object.assign(state, { live: false, opened: first ? "first" : "again", expected: 0 });
      if (!first) follow(query, query);
      for (const name of LANES) if (meta.methods[name]) fetchFrom(name);
      if (complete(state)) settle(page); // the same race again: nothing is left to fetch
    },
    steps: (event) => {
      if (!state.live) follow(state.link, state.text); // the address follows once there is a race that it names
      state.live = true;
      run.busy(true);
      banner.say("Decoding both lanes in turns, on the same noise …");
      receiveChunk(event.lane, event.chunk);
      state.head = length(state);
    },
    done: () => {
      state.live = false;
      run.end();
      banner.say(null);
      for (const name of LANES) if (state.lanes[name].steps.length < callsOf(state, name)) fetchFrom(name);
      banner.announce(summaryText(state));
      state.head = length(state);
      setSpeed(page, 1);
      if (!calm()) replay(page);
    },
  };

  /** The address leads to the race, other pages to its text. @param {string | null} link @param {string | null} text */
  function follow(link, text) {
    remember(link, true);
    rememberText(text);
  }

  function halt() {
    state.live = false;
    run.halt();
  }

  /** @param {string} why */
  function fail(why) {
    halt();
    banner.say(why, "error");
  }

  /** What Python should know of a run that it did not show itself: the charts follow. @param {string} shown */
  function tell(shown) {
    props.value = JSON.stringify({ event: "shown", run: shown });
    trigger("opened");
  }

  run.listen({
    queued: (ticket) => {
      halt();
      run.begin(ticket);
      play(page, false);
      banner.say(WAITING);
      leaveRun(root); // so that Space plays the race and does not run it again
    },
    refused: () => fail(REFUSED),
    waiting: (text) => banner.say(text),
    lost: fail,
    stopped: () => {
      halt();
      banner.say(state.run ? "Stopped. What was decoded so far stays." : "Stopped.", "info");
      if (state.run) {
        state.cut = true;
        for (const name of LANES) fetchFrom(name);
        tell(state.run);
      }
      redraw();
    },
  });

  // ---- what a visitor does ---------------------------------------------------------------------------

  /** @type {Record<string, () => void>} */
  const actions = {
    ...listenToFiles(page, server, (event) => {
      receive(event);
      tell(event.run);
    }),
    first: () => goTo(page, 0),
    back: () => stepBy(page, -1),
    play: () => play(page, !state.playing),
    next: () => stepBy(page, 1),
    last: () => goTo(page, length(state)),
    calls: () => setAxis(page, "calls"),
    ms: () => setAxis(page, "ms"),
    prose: () => view.prose.setAttribute("aria-pressed", String(root.classList.toggle("is-prose"))),
    present: () => present(root),
    leave: () => present(root, false),
  };
  for (const [name, action] of Object.entries(actions)) {
    find(root, `[data-do="${name}"]`)?.addEventListener("click", action);
  }
  document.addEventListener("ptp:chose", (event) => {
    state.chosen = /** @type {CustomEvent} */ (event).detail;
    drawFigures(page);
  });
  listenToPointer(page);
  listenToKeys(page);
  new ResizeObserver(() => drawTimeline(page)).observe(view.bars.ar);
  expose("raceState", state);
  hear(props, watch, receive);
  if (cutText()) banner.say(cutText(), "info");
}
