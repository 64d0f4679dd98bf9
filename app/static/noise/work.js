// @ts-check
// What is asked of the model, and what becomes of the answer: a text on other noise, a map, the missing part of a text.

import { clamp } from "../core/dom.js";
import { nameOf } from "../core/chips.js";
import { ask, WAITING } from "../core/run.js";
import { U_DIGITS } from "../core/shared.js";
import { chunk, LANES } from "../core/wire.js";
import { add, callsOf, chosen, goTo, lead, push, standing, telling } from "./history.js";
import { WHOLE } from "../core/strip.js";
import { rememberLink } from "./links.js";
import { showProgress } from "./progress.js";

/** @typedef {import("./history.js").Page} Page */
/** @typedef {import("./history.js").Story} Story */
/** @typedef {Record<string, number | null>} Edits u by position, clock by "position.token"; null: the seed's own */

export const LAST = 1 - 10 ** -U_DIGITS; // the largest u that a visitor can set
const STAY = 500; // ms at a token after which its whole distribution is asked for
const LOST = "The server did not answer. Reload the page, or write the text again.";

// ---- runs ----------------------------------------------------------------------------------------------

/** @param {Page} page */
export function halt({ run, view }) {
  run.halt();
  showProgress(view, null);
}

/**
 * Begins work in place of what is under way; returns its ticket.
 * @param {Page} page
 * @param {"edit" | "map"} what
 */
function begin(page, what) {
  clearTimeout(page.state.timer);
  halt(page);
  if (what === "edit") page.state.asked = what;
  return page.run.begin();
}

/** Something else takes over: an edit is given up, a text stays as far as it came. @param {Page} page */
export function interrupt(page) {
  const { state } = page;
  halt(page);
  if (state.asked === "edit") state.now = standing(state) || null;
  keep(page);
}

/** What came so far is the text; where nothing came, all is as it was. @param {Page} page */
export function keep(page) {
  const { state } = page;
  if (state.now && state.now.summary && lead(state).length && state.now !== standing(state)) {
    finish(page);
    return;
  }
  Object.assign(state, { asked: null, u: null, clock: null });
  page.redraw();
}

/** The server answered with an error: the text before stands again. @param {Page} page @param {string} message */
export function fail(page, message) {
  const { state } = page;
  halt(page);
  page.banner.say(message, "error");
  if (state.asked !== "edit" || state.index < 0) return;
  Object.assign(state, { now: standing(state), asked: null, u: null, clock: null });
  page.redraw();
}

// ---- texts ---------------------------------------------------------------------------------------------

/**
 * Adds calls; where some before them are missing, asks for those.
 * @param {Page} page
 * @param {Story} target
 * @param {import("../core/wire.js").LaneName} name
 * @param {any} raw
 */
export function receiveChunk(page, target, name, raw) {
  if (!add(target.lanes[name], chunk(raw))) complete(page, target);
}

/** Asks for whatever is missing of a text. @param {Page} page @param {Story} target */
export async function complete(page, target) {
  if (target.fetching) return;
  target.fetching = true;
  /** @type {import("../core/wire.js").LaneName | undefined} */
  let name;
  // more may be lost meanwhile
  while ((name = LANES.find((lane) => target.lanes[lane].calls < callsOf(target, lane)))) {
    const request = { run: target.run, lane: name, start: target.lanes[name].calls };
    const found = await ask(page.server, "fetch_steps", request, LOST);
    if (found.error || !found.steps.length) {
      target.fetching = false;
      page.banner.say(found.error || "A part of this text is missing.", "error");
      return;
    }
    receiveChunk(page, target, name, found);
  }
  target.fetching = false;
  if (target === page.state.now && !page.state.busy) finish(page);
}

/** A text is whole: the first one of a page, a new one, or an edited one. @param {Page} page */
function finish(page) {
  const { state } = page, { now, link } = state;
  if (!now) return;
  if (state.asked !== "edit") {
    Object.assign(state, { base: now, history: [now], index: 0 });
    const first = state.recorded?.position ?? telling(lead(state));
    if (state.position === null || state.position >= lead(state).length) choose(page, first, true);
  } else if (standing(state) !== now) push(state, now);
  Object.assign(state, { asked: null, u: null, clock: null });
  if (link && link.prompt !== null && link.prompt !== now.meta.prompt) { // not its text yet
    page.redraw();
    return;
  }
  state.link = null;
  rememberLink(state);
  page.redraw();
  if (!link) return;
  if (link.position !== null) choose(page, Math.min(link.position, lead(state).length - 1), true);
  if (link.edits) edit(page, link.edits);
}

/**
 * Asks for the text on other noise.
 * @param {Page} page
 * @param {Edits} changes
 * @param {{ behind: number, seed: number } | null} [redraw] noise behind a position that is drawn anew
 */
export function edit(page, changes, redraw) {
  const { state } = page;
  if (state.busy) interrupt(page);
  const from = standing(state);
  if (!state.now || !state.base || !from) return;
  const edits = Object.fromEntries(Object.entries({ ...from.meta.edits, ...changes }).filter(([, u]) => u !== null));
  const request = { run: from.run, edits, ticket: begin(page, "edit"), ...(redraw ? { redraw } : {}) };
  state.old = from;
  page.banner.say(WAITING);
  page.trigger("edit", request);
}

/**
 * Lets go of the needle: the text behind it is decoded anew. Noise behind it stays unless it is set free.
 * @param {Page} page
 * @param {number | null} u
 */
export function release(page, u) {
  const { position } = page.state;
  if (u === null || position === null || !chosen(page.state)) return;
  const redraw = { behind: position, seed: Math.floor(Math.random() * 2 ** 31) };
  edit(page, { [position]: clamp(u, 0, LAST) }, page.view.freeze.checked ? null : redraw);
}

/** Back or forth in the history. @param {Page} page @param {1 | -1} by */
export function undo(page, by) {
  if (stand(page, page.state.index + by)) page.banner.announce(by < 0 ? "Undone." : "Done again.");
}

/** The original text again, as one more edit. @param {Page} page */
export function undoAll(page) {
  const { state } = page;
  push(state, state.history[0]);
  if (stand(page, state.index)) page.banner.announce("Done again.");
}

/**
 * Stands at a story of the history; false if there is none.
 * @param {Page} page
 * @param {number} index
 */
function stand(page, index) {
  if (!goTo(page.state, index)) return false;
  clearTimeout(page.state.timer);
  halt(page);
  page.banner.say(null);
  rememberLink(page.state);
  page.redraw();
  return true;
}

// ---- the chosen token ----------------------------------------------------------------------------------

/**
 * Chooses a token. What its recorded candidates leave out is asked for when the visitor stays.
 * @param {Page} page
 * @param {number} position
 * @param {boolean} [quiet]
 */
export function choose(page, position, quiet) {
  const { state, view } = page, last = lead(state).length - 1;
  if (last < 0) return;
  clearTimeout(state.timer);
  clearTimeout(state.wanted);
  Object.assign(state, { position: clamp(position, 0, last), u: null, clock: null, part: WHOLE });
  view.zoom.value = "0";
  page.redraw();
  const token = chosen(state);
  if (quiet || !token) return;
  page.banner.announce(`token ${token.position + 1}: ${nameOf(token)}`);
  if (token.omitted <= 0.002 || state.busy) return;
  state.wanted = setTimeout(() => { if (!state.busy) drawMap(page, "bins"); }, STAY);
}

/**
 * Asks for a map of the chosen token.
 * @param {Page} page
 * @param {string} kind
 */
export function drawMap(page, kind) {
  const { state } = page;
  if (!state.now || state.position === null || state.index < 0) return;
  if (state.busy) interrupt(page);
  const { run } = standing(state) || state.now;
  page.trigger("draw", { kind, run, position: state.position, ticket: begin(page, "map") });
  if (kind !== "bins") showProgress(page.view, kind, 0);
}
