// @ts-check
// The chosen token's strip and the needle on it.

import { nameNodes, nameOf } from "../core/chips.js";
import { clamp, el, find, findAll } from "../core/dom.js";
import { placed, strip, stripLabels, within } from "../core/strip.js";
import { nodes, percent, plain } from "../core/text.js";
import { drawClocks } from "./clocks.js";
import { chosen, foundMap, isRace, needleAt } from "./history.js";
import { interrupt, LAST, release } from "./work.js";

/** @typedef {import("./history.js").Page} Page */
/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {import("../core/wire_maps.js").Stairs} Stairs */

const SETTLE = 450; // ms after the last key at which a keyboard move counts as released

/**
 * What u would pick, from the bins that are here already; undefined where the list leaves tokens out.
 * @param {Token} token
 * @param {number} u
 */
export const candidateAt = (token, u) => token.candidates.find(({ prob, left }) => u >= left && u < left + prob);

/**
 * While the needle moves, only it and the token's preview change: no layout, no server.
 * @param {Page} page
 * @param {number} u
 */
export function move({ state, view }, u) {
  const token = chosen(state);
  if (!token) return;
  state.u = clamp(u, 0, LAST);
  const hit = candidateAt(token, state.u);
  const safe = hit ? hit.own : state.u >= token.left && state.u < token.right;
  placeNeedle(view, state, token);
  tellNeedle(view, state.u, hit ? plain(hit.text) : "a rarer token");
  view.preview.className = `nz-preview ${safe ? "is-safe" : "is-flip"}`;
  const other = el("span", { class: "ptp-name" }, hit ? nodes(hit.text) : ["a rarer token"]);
  view.preview.replaceChildren(nameNodes(token), ...(safe ? [" stays: same slice, same text"] : [" → ", other]));
  const word = find(view.text, `[data-position="${state.position}"] .nz-word`);
  word?.replaceChildren(...(hit ? nodes(safe ? token.text : hit.text, token.label) : ["…"]));
  for (const node of findAll(view.text, ".nz-token")) {
    node.classList.toggle("is-stale", !safe && Number(node.dataset.position) > token.position);
  }
}

/** Moves the needle and lets go of it. @param {Page} page @param {number} u */
export function moveTo(page, u) {
  move(page, u);
  release(page, u);
}

/** To the nearest u that picks another token. @param {Page} page */
export function nearestFlip(page) {
  const token = chosen(page.state);
  if (!token) return;
  if (token.flip === null) page.banner.say("No u picks another token here: this one is certain.", "info");
  else moveTo(page, token.flip);
}

// ---- drawing -------------------------------------------------------------------------------------------

/** @param {Page} page */
export function drawStrip(page) {
  const { state, view } = page;
  const token = chosen(state);
  view.controls.hidden = !token;
  if (!token) {
    view.title.textContent = "Choose a token";
    return;
  }
  if (state.now && isRace(state.now.meta)) {
    view.title.replaceChildren(`Token ${token.position + 1} `, nameNodes(token));
    view.excluded.replaceChildren(...unlisted(token));
    drawClocks(page);
    return;
  }
  const { part } = state, draft = foundMap(state, "staircase");
  view.title.replaceChildren(`Token ${token.position + 1} `, nameNodes(token));
  const bins = [strip({ ...token, u: -1 }, part), ...stripLabels(token, part)];
  view.strip.replaceChildren(...bins, view.needle, view.bubble);
  view.band.replaceChildren(...(draft && draft.kind ? band(draft, token, part) : []));
  view.facts.textContent = facts(token);
  view.excluded.replaceChildren(...unlisted(token));
  if (state.u === null) {
    tellNeedle(view, token.u, nameOf(token));
    view.preview.className = "nz-preview";
    view.preview.textContent =
      "Each box is the slice of a token, as wide as the token is likely. Try: drag the needle into another box.";
  }
  placeNeedle(view, state, token);
}

/** @param {Token} token */
function facts({ u, left, right, prob, margin }) {
  const slice = `its slice, ${left.toFixed(4)} to ${right.toFixed(4)} (probability ${prob.toFixed(3)})`;
  const room = margin === null ? "No other token is possible." : `Another token is ${margin.toFixed(4)} away.`;
  return `u = ${u.toFixed(5)} lies in ${slice}. ${room}`;
}

/** @param {Token} token */
function unlisted({ excluded, filtered, omitted }) {
  const removed = excluded.map(({ text, prob }) => el("span", {}, [...nodes(text), ` ${percent(prob)}`]));
  return [
    ...(removed.length ? [`Removed by top-k and top-p (${percent(filtered)} of the odds): `, ...removed] : []),
    ...(omitted > 0.0005 ? [` Not listed: ${percent(omitted)}.`] : []),
  ];
}

/**
 * The draft's own map from u to the token here, under the strip.
 * @param {Stairs} draft
 * @param {Token} token
 * @param {import("../core/strip.js").Part} part
 */
function band(draft, token, part) {
  const label = draft.kind === "argmax"
    ? "the token that the PTP draft gives for each u here"
    : "the odds of the PTP draft here";
  const boxes = draft.draft.filter(({ left, right }) => right > part.from && left < part.to).map((stretch) => {
    const { left, right, tokens: [drafted] } = stretch, { from, to } = within(left, right, part);
    const text = draft.texts[drafted] || "", own = text === candidateAt(token, (left + right) / 2)?.text;
    const title = `${plain(text)}, u from ${left.toFixed(3)} to ${right.toFixed(3)}`;
    const look = { class: own ? "is-right" : "is-wrong", style: placed(from, to), title };
    return el("span", look, to - from > 0.05 ? nodes(text) : []);
  });
  return [el("span", { class: "ptp-soft nz-small", text: label }), el("div", { class: "nz-band" }, boxes)];
}

/**
 * @param {import("./layout.js").View} view
 * @param {import("./history.js").State} state
 * @param {Token} token
 */
function placeNeedle(view, state, token) {
  const u = needleAt(state, token), { from, to } = state.part, at = (u - from) / (to - from);
  view.needle.style.left = `${100 * at}%`;
  view.needle.hidden = at < 0 || at > 1;
  view.bubble.style.left = `${100 * clamp(at, 0.03, 0.97)}%`;
  view.bubble.textContent = u.toFixed(to - from < 0.1 ? 5 : 3);
}

/**
 * @param {import("./layout.js").View} view
 * @param {number} u
 * @param {string} token
 */
function tellNeedle(view, u, token) {
  view.number.value = u.toFixed(5);
  view.strip.setAttribute("aria-valuenow", u.toFixed(4));
  view.strip.setAttribute("aria-valuetext", `${u.toFixed(4)}, ${token}`);
}

// ---- what a visitor does -------------------------------------------------------------------------------

/** @param {Page} page */
export function listenToNeedle(page) {
  const { state, view, banner } = page;
  const uAt = (/** @type {PointerEvent} */ event) => {
    const box = view.strip.getBoundingClientRect(), { from, to } = state.part;
    return from + clamp((event.clientX - box.left) / box.width, 0, 1) * (to - from);
  };
  view.strip.addEventListener("pointerdown", (event) => {
    if (!chosen(state) || event.button) return;
    event.preventDefault();
    view.strip.focus();
    view.strip.setPointerCapture(event.pointerId);
    state.dragging = true;
    if (state.busy) { // the next drag takes over
      interrupt(page);
      banner.say(null);
    }
    move(page, uAt(event));
  });
  view.strip.addEventListener("pointermove", (event) => { if (state.dragging) move(page, uAt(event)); });
  view.strip.addEventListener("pointerup", (event) => {
    if (!state.dragging) return;
    state.dragging = false;
    release(page, uAt(event));
  });
  view.strip.addEventListener("pointercancel", () => {
    state.dragging = false;
    putBack(page);
  });
  view.strip.addEventListener("keydown", (event) => onKey(page, event));
  view.number.addEventListener("change", () => {
    const u = Number(view.number.value);
    if (view.number.value !== "" && u >= 0 && u < 1) {
      moveTo(page, u);
      return;
    }
    banner.say("u must lie in [0, 1).", "error");
    drawStrip(page);
  });
  view.zoom.addEventListener("input", () => zoom(page, Number(view.zoom.value)));
}

/** The needle goes back to the token's own u. @param {Page} page */
function putBack(page) {
  clearTimeout(page.state.timer);
  page.state.u = null;
  page.redraw();
}

/**
 * @param {Page} page
 * @param {KeyboardEvent} event
 */
function onKey(page, event) {
  const { state } = page, token = chosen(state);
  if (!token) return;
  if (event.key === "Escape") {
    putBack(page);
    return;
  }
  if (event.key === "Enter" && state.u !== null) {
    clearTimeout(state.timer);
    release(page, state.u);
    return;
  }
  const u = needleAt(state, token), step = (state.part.to - state.part.from) * (event.shiftKey ? 0.05 : 0.005);
  /** @type {Record<string, number>} */
  const targets = {
    ArrowLeft: u - step, ArrowDown: u - step, ArrowRight: u + step, ArrowUp: u + step,
    PageDown: u - 20 * step, PageUp: u + 20 * step, Home: 0, End: LAST,
  };
  if (targets[event.key] === undefined) return;
  event.preventDefault();
  move(page, targets[event.key]);
  clearTimeout(state.timer);
  state.timer = setTimeout(() => release(page, state.u), SETTLE);
}

/** Shows a part of the strip around the needle. @param {Page} page @param {number} power of two */
function zoom(page, power) {
  const token = chosen(page.state), width = 1 / 2 ** power;
  if (!token) return;
  const from = clamp(needleAt(page.state, token) - width / 2, 0, 1 - width);
  page.state.part = { from, to: from + width };
  drawStrip(page);
}
