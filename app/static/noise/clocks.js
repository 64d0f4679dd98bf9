// @ts-check
// The chosen token's race of clocks, in place of the strip: who arrives first, and a dot to drag for every runner.

import { nameNodes } from "../core/chips.js";
import { clamp, closest, el, find, findAll } from "../core/dom.js";
import { nodes, percent, plain } from "../core/text.js";
import { chosen } from "./history.js";
import { edit } from "./work.js";

/** @typedef {import("./history.js").Page} Page */
/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {import("../core/wire.js").Candidate} Candidate */
/** @typedef {{ id: number, text: string, prob: number, number: number, time: number, own: boolean }} Runner */

const SHOWN = 9;
const SETTLE = 450; // ms after the last key at which a keyboard move counts as released
const LEAST = 1e-6, MOST = 0.9999999; // the numbers that a visitor can set
const SLOWEST = 0.995; // the end of the track: who is slower stands there

/** When a clock with this number rings. @param {number} number @param {number} prob */
export const arrival = (number, prob) => -Math.log(number) / prob;

/** The number whose clock rings then. @param {number} time @param {number} prob */
export const numberFor = (time, prob) => clamp(Math.exp(-time * prob), LEAST, MOST);

/** Where a time stands on the track: 0 is the start, 1/2 is time 1. @param {number} time */
export const onTrack = (time) => Math.min(time / (1 + time), SLOWEST);

/** @param {number} share of the track */
export const timeAt = (share) => clamp(share, 0.0005, SLOWEST) / (1 - clamp(share, 0.0005, SLOWEST));

/**
 * The runners of a token by their arrival, one of them perhaps with another number.
 * @param {Candidate[]} candidates
 * @param {{ id: number, number: number } | null} moved
 * @returns {Runner[]}
 */
export function runners(candidates, moved) {
  return candidates.filter(({ id, clock }) => id !== undefined && clock !== undefined).map((one) => {
    const id = Number(one.id), number = moved && moved.id === id ? moved.number : Number(one.clock);
    return { id, text: one.text, prob: one.prob, number, time: arrival(number, one.prob), own: one.own };
  }).sort((a, b) => a.time - b.time);
}

/** @param {Page} page */
export function drawClocks({ state, view }) {
  const token = chosen(state);
  if (!token) return;
  const list = runners(token.candidates, null).slice(0, SHOWN);
  const focused = view.clocks.contains(document.activeElement) ? document.activeElement : null;
  const held = focused instanceof HTMLElement ? focused.dataset.clock : undefined;
  view.clocks.replaceChildren(...list.map((one, place) => row(one, place)));
  if (held) find(view.clocks, `[data-clock="${held}"]`)?.focus();
  view.clocks.dataset.token = String(token.position);
  view.facts.textContent = facts(token, list);
  view.preview.className = "nz-preview";
  view.preview.textContent = "Each token has a clock of its own. A likely token's clock runs faster. "
    + "The first to ring is the token. Try: drag a dot to the left until its token wins.";
}

/** @param {Runner} one @param {number} place */
function row(one, place) {
  const name = plain(one.text);
  return el("div", {
    class: `nz-runner${one.own ? " is-own" : ""}${place ? "" : " is-first"}`,
    role: "slider", tabindex: "0", "data-clock": one.id,
    "aria-label": `clock of ${name}`, "aria-valuemin": "0", "aria-valuemax": "1", ...spoken(one, place),
  }, [
    el("span", { class: "nz-runner-name" }, nodes(one.text)),
    el("small", { class: "ptp-soft", text: percent(one.prob) }),
    el("span", { class: "nz-track" }, el("b", { style: `left:${100 * onTrack(one.time)}%` })),
    el("small", { class: "nz-time", text: one.time.toFixed(2) }),
  ]);
}

/** @param {Runner} one @param {number} place */
const spoken = (one, place) => ({
  "aria-valuenow": one.number.toFixed(4),
  "aria-valuetext": `number ${one.number.toFixed(4)}, rings at ${one.time.toFixed(2)}, place ${place + 1}`,
});

/** @param {Token} token @param {Runner[]} list */
function facts({ margin, prob }, [first, second]) {
  if (!first) return "";
  const rings = first.time.toFixed(3);
  const won = `Its number ${first.number.toFixed(5)} rings at ${rings} (probability ${prob.toFixed(3)}).`;
  if (!second || margin === null) return `${won} No other token is possible.`;
  const next = `“${plain(second.text)}” came second, at ${second.time.toFixed(3)}.`;
  return `${won} ${next} One number changed by ${margin.toFixed(4)} would give another token.`;
}

/**
 * While a dot moves, only it and the token's preview change: no server.
 * @param {Page} page
 * @param {number} id
 * @param {number} time
 */
function move({ state, view }, id, time) {
  const token = chosen(state), known = token?.candidates.find((one) => one.id === id);
  if (!token || !known) return;
  state.clock = { id, number: numberFor(time, known.prob) };
  const list = runners(token.candidates, state.clock), winner = list[0];
  for (const node of findAll(view.clocks, ".nz-runner")) {
    const place = list.findIndex((one) => one.id === Number(node.dataset.clock)), one = list[place];
    node.classList.toggle("is-first", place === 0);
    Object.entries(spoken(one, place)).forEach(([name, value]) => node.setAttribute(name, value));
    const dot = find(node, "b"), said = find(node, ".nz-time");
    if (dot) dot.style.left = `${100 * onTrack(one.time)}%`;
    if (said) said.textContent = one.time.toFixed(2);
  }
  view.preview.className = `nz-preview ${winner.own ? "is-safe" : "is-flip"}`;
  const other = el("span", { class: "ptp-name" }, nodes(winner.text));
  const told = winner.own ? [" still arrives first: same text"] : [" → ", other];
  view.preview.replaceChildren(nameNodes(token), ...told);
}

/** The text behind a moved clock is decoded anew. @param {Page} page */
function release(page) {
  const { clock, position } = page.state;
  if (clock && position !== null) edit(page, { [`${position}.${clock.id}`]: clock.number });
}

/** To the smallest change of one clock that gives another token. @param {Page} page */
export function nearestClock(page) {
  const { position } = page.state, token = chosen(page.state);
  if (!token || position === null) return;
  if (!token.flipClock) {
    page.banner.say("No clock gives another token here: this one runs alone.", "info");
    return;
  }
  const [id, number] = token.flipClock;
  edit(page, { [`${position}.${id}`]: clamp(number, LEAST, MOST) });
}

/** New numbers for every clock of the token that is listed. @param {Page} page */
export function rollClocks(page) {
  const { position } = page.state, token = chosen(page.state);
  if (!token || position === null) return;
  edit(page, Object.fromEntries(runners(token.candidates, null).map(({ id }) =>
    [`${position}.${id}`, clamp(Math.random(), LEAST, MOST)])));
}

/** @param {Page} page */
export function listenToClocks(page) {
  const { state, view } = page;
  /** @type {HTMLElement | null} */
  let held = null;
  const timeOf = (/** @type {PointerEvent} */ event, /** @type {HTMLElement} */ node) => {
    const box = find(node, ".nz-track")?.getBoundingClientRect();
    return box ? timeAt((event.clientX - box.left) / box.width) : 1;
  };
  view.clocks.addEventListener("pointerdown", (event) => {
    const node = closest(event, ".nz-runner");
    if (!node || event.button || !closest(event, ".nz-track")) return;
    event.preventDefault();
    held = node;
    node.focus();
    node.setPointerCapture(event.pointerId);
    move(page, Number(node.dataset.clock), timeOf(event, node));
  });
  view.clocks.addEventListener("pointermove", (event) => {
    if (held) move(page, Number(held.dataset.clock), timeOf(event, held));
  });
  view.clocks.addEventListener("pointerup", () => {
    if (held) release(page);
    held = null;
  });
  view.clocks.addEventListener("pointercancel", () => {
    held = null;
    state.clock = null;
    page.redraw();
  });
  view.clocks.addEventListener("keydown", (event) => onKey(page, event));
}

/** @param {Page} page @param {KeyboardEvent} event */
function onKey(page, event) {
  const { state } = page, token = chosen(state), node = closest(event, ".nz-runner");
  if (!token || !node) return;
  if (event.key === "Escape" || event.key === "Enter") {
    clearTimeout(state.timer);
    if (event.key === "Enter") release(page);
    state.clock = null;
    if (event.key === "Escape") page.redraw();
    return;
  }
  const id = Number(node.dataset.clock), one = runners(token.candidates, state.clock).find((each) => each.id === id);
  if (!one) return;
  const at = onTrack(one.time), step = event.shiftKey ? 0.05 : 0.01;
  /** @type {Record<string, number>} */
  const targets = {
    ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
    PageDown: at - 0.2, PageUp: at + 0.2, Home: 0, End: 1,
  };
  if (targets[event.key] === undefined) return;
  event.preventDefault();
  move(page, id, timeAt(targets[event.key]));
  clearTimeout(state.timer);
  state.timer = setTimeout(() => release(page), SETTLE);
}
