// @ts-check
// The page whose model runs in the tab: what a visitor does, and what is drawn of it.

import { Banner } from "../core/banner.js";
import { closest, expose, takeRoot } from "../core/dom.js";
import { leaveOnEscape, present } from "../core/present.js";
import { MAX_SEED } from "../core/shared.js";
import { counted } from "../core/text.js";
import { Client } from "./client.js";
import { drawLane, laneFacts, parting, sameness, shownLane } from "./lanes.js";
import { EXAMPLES, build, keep } from "./layout.js";
import { drawStrip, listenToNeedle, preview } from "./needle.js";
import { pointAt, squares } from "./square.js";

/** @typedef {import("./lanes.js").Shown} Shown */
/**
 * @typedef {{ ready: boolean, edits: Record<number, number>, position: number, lanes: Record<string, Shown>,
 *   head: number | null, before: number[] | null, u: number | null, first: number | null, whole: number | null,
 *   square: import("./square.js").Drawn | null }} State
 */
// head: calls that the replay shows, null for all. before: the tokens before the needle moved.
// u: where the needle is while its text is not here. first, whole: ms from a change to the first token and the text.

const BEAT = 260, REST = 350, SPEAK = 1200; // ms of a replayed call; before the square is drawn; before the summary

/** @param {{ element: HTMLElement, props: any }} component */
export function mount({ element, props }) {
  const root = takeRoot(element, ".tab");
  if (!root) return;
  const banner = new Banner({ busy: "is-info" }), view = build(root, banner);
  /** @type {State} */
  const state = {
    ready: false, edits: {}, position: 0, lanes: {}, head: null, before: null, u: null, first: null, whole: null,
    square: null,
  };
  expose("tabState", state);
  /** @type {Record<string, ReturnType<typeof setTimeout>>} */
  const timers = {};
  const later = (/** @type {string} */ name, /** @type {number} */ ms, /** @type {() => void} */ act) => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(act, ms);
  };

  const client = new Client({
    first: (_, ms) => {
      state.first = ms;
      view.figures.first.value.textContent = ms.toFixed(0);
    },
    lane: (lane, ms) => {
      state.lanes[lane.lane] = shownLane(lane);
      if (lane.lane === "ar") [state.whole, state.u, state.square] = [ms, null, null];
      draw();
    },
    written: () => {
      later("speak", SPEAK, () => banner.announce(summary()));
      later("square", REST, askSquare);
    },
    square: (found) => {
      state.square = found;
      drawSquare();
    },
    failed: (says) => banner.say(says, "error"),
  });

  const chosen = () => state.lanes.ar?.tokens[state.position];
  const wish = () => ({
    prompt: view.prompt.value, seed: Number(view.seed.value) || 0, edits: state.edits, chained: true,
    adapter: view.drafter.value, maxNew: Number(view.length.value), budget: Number(view.budget.value), temperature: 0.7,
  });

  /** Writes anew. @param {boolean} [fresh] whether the text is another, so that moved numbers are forgotten */
  function write(fresh = false) {
    if (fresh) [state.edits, state.before, state.position] = [{}, null, 0];
    stop();
    if (state.ready) client.write(wish());
  }

  function draw() {
    const { ar, ptp } = state.lanes;
    for (const [name, lane] of Object.entries(state.lanes)) {
      const { text, facts } = view.lanes[/** @type {"ar" | "ptp"} */ (name)];
      drawLane(text, lane, state);
      facts.textContent = laneFacts(lane, state.head);
    }
    drawStrip(view, chosen(), state.position in state.edits);
    if (!ar || !ptp) return;
    const whole = parting(ar, ptp) === null || ar.ids.length === ptp.ids.length, { figures } = view;
    figures.calls.value.textContent = String(ptp.calls);
    figures.calls.note.textContent = `calls in parallel, ${ar.calls} one by one`;
    figures.perCall.value.textContent = (ptp.ids.length / ptp.calls).toFixed(2);
    figures.time.value.textContent = ptp.ms.toFixed(0);
    figures.time.note.textContent = `ms in parallel, ${ar.ms.toFixed(0)} one by one`;
    view.lanes.ptp.facts.textContent += whole ? ` · ${sameness(ar, ptp)}` : "";
  }

  function summary() {
    const { ar, ptp } = state.lanes;
    if (!ar || !ptp) return "";
    return `${counted(ar.ids.length, "token")}: ${counted(ar.calls, "call")} one by one, `
      + `${counted(ptp.calls, "call")} in parallel. ${sameness(ar, ptp)}.`;
  }

  // ---- needle and square -------------------------------------------------------------------------------

  /** Takes these numbers at these positions. @param {Record<number, number>} numbers */
  function move(numbers) {
    state.before ??= state.lanes.ar?.ids ?? null;
    state.edits = { ...state.edits, ...numbers };
    write();
  }

  listenToNeedle(view, chosen, (u) => {
    const token = chosen();
    if (!token) return;
    state.u = u;
    preview(view, token, u);
    move({ [state.position]: u });
  });

  function askSquare() {
    const lane = state.lanes.ar;
    if (!view.square.open || !lane || !state.ready || state.square) return;
    client.square(wish(), lane.ids.slice(0, state.position));
  }

  function drawSquare() {
    const token = chosen(), next = state.lanes.ar?.tokens[state.position + 1];
    if (!state.square || !token) return;
    view.squares.replaceChildren(...squares(state.square, token.u, next ? next.u : -1));
    view.squareFacts.textContent = `Drawn in ${state.square.ms.toFixed(0)} ms, from ${state.square.grid} times `
      + `${state.square.grid} drafts and the target's exact odds.`;
  }

  /** @param {number} position */
  function choose(position) {
    const count = state.lanes.ar?.tokens.length ?? 0;
    state.position = Math.min(Math.max(position, 0), Math.max(count - 1, 0));
    [state.square, state.u] = [null, null];
    draw();
    later("square", REST, askSquare);
  }

  // ---- the replay ----------------------------------------------------------------------------------------

  function stop() {
    clearTimeout(timers.play);
    state.head = null;
    view.play.textContent = "▶ Play the race";
  }

  function step() {
    const most = Math.max(...Object.values(state.lanes).map(({ calls }) => calls), 0);
    if (state.head === null || state.head >= most) {
      stop();
      banner.announce(summary());
    } else {
      state.head += 1;
      later("play", BEAT, step);
    }
    draw();
  }

  /** @type {Record<string, () => void>} */
  const doing = {
    play: () => {
      if (state.head !== null) stop();
      else {
        state.head = 0;
        view.play.textContent = "■ Stop";
        later("play", BEAT, step);
      }
      draw();
    },
    dice: () => {
      view.seed.value = String(Math.floor(Math.random() * Math.min(MAX_SEED, 2 ** 31)));
      write(true);
    },
    back: () => choose(state.position - 1),
    next: () => choose(state.position + 1),
    reset: () => {
      delete state.edits[state.position];
      write();
    },
    resetAll: () => {
      [state.edits, state.before] = [{}, null];
      write();
    },
    present: () => present(root, true), leave: () => present(root, false),
  };

  // ---- what a visitor does -------------------------------------------------------------------------------

  view.prompt.addEventListener("input", () => write(true));
  view.seed.addEventListener("input", () => write(true));
  for (const select of [view.length, view.budget, view.drafter]) select.addEventListener("change", () => write());
  view.square.addEventListener("toggle", askSquare);
  root.addEventListener("click", (event) => {
    const example = closest(event, "[data-example]"), action = closest(event, "[data-do]");
    const token = closest(event, "[data-position]"), picture = closest(event, ".tab-picture");
    if (example) {
      view.prompt.value = EXAMPLES[/** @type {keyof typeof EXAMPLES} */ (example.dataset.example)];
      write(true);
    } else if (action) doing[action.dataset.do ?? ""]?.();
    else if (token) choose(Number(token.dataset.position));
    else if (picture) {
      const [u1, u2] = pointAt(event, picture);
      move({ [state.position]: u1, [state.position + 1]: u2 });
    }
  });
  root.addEventListener("keydown", (event) => {
    if (!closest(event, ".tab-code")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    choose(state.position + by);
  });

  leaveOnEscape(root);
  start();

  async function start() {
    const began = performance.now(), { head, weights, copy } = JSON.parse(props.value);
    const at = (/** @type {string} */ path) => new URL(path, document.baseURI).href;
    view.prompt.value = EXAMPLES["a function"];
    try {
      const found = await client.load(at(head), at(weights), (share) => {
        view.status.textContent = `Loading the model … ${Math.round(100 * share)} %`;
      });
      const size = (found.bytes / 1e6).toFixed(1), took = ((performance.now() - began) / 1000).toFixed(1);
      view.status.replaceChildren(`${found.name}: ${size} MB, here after ${took} s. From now on nothing goes to the `
        + "server: you may go offline. ", copy ? keep(at(copy)) : "");
      for (const option of view.drafter.options) option.disabled = !(option.value in found.adapters);
      state.ready = true;
      write(true);
    } catch (error) {
      view.status.textContent = "";
      banner.say(error instanceof Error ? error.message : String(error), "error");
    }
  }
}
