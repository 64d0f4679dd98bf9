// @ts-check
// The chosen token's strip and the needle on it: each move asks for the text anew.

import { nameNodes, nameOf } from "../core/chips.js";
import { clamp, el } from "../core/dom.js";
import { strip, stripLabels } from "../core/strip.js";
import { nodes, plain } from "../core/text.js";
import { ROUNDING } from "./lanes.js";

/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {import("./layout.js").View} View */

export const LAST = 1 - 2 ** -20; // the largest u that the needle takes

/** @param {Token} token @param {number} u */
const at = (token, u) => token.candidates.find(({ left, prob }) => u >= left && u < left + prob);

/** @param {View} view @param {Token | undefined} token @param {boolean} moved */
export function drawStrip(view, token, moved) {
  view.strip.setAttribute("aria-disabled", String(!token));
  if (!token) {
    view.title.textContent = "Choose a token";
    view.strip.replaceChildren();
    view.facts.textContent = view.preview.textContent = "";
    return;
  }
  const { u, left, right, margin } = token;
  view.title.replaceChildren(`Token ${token.position + 1} `, nameNodes(token));
  view.strip.replaceChildren(
    strip({ ...token, u: -1 }), ...stripLabels(token), el("i", { class: "tab-needle", "aria-hidden": "true" }),
  );
  place(view, u, nameOf(token));
  view.preview.textContent = moved ? "You moved this number." : "Drag the needle into another slice.";
  view.facts.textContent = `u = ${u.toFixed(5)} lies in its slice, ${left.toFixed(4)} to ${right.toFixed(4)}. `
    + (margin === null ? "No other token is possible." : `Another token is ${margin.toFixed(5)} away.`)
    + (margin !== null && margin < ROUNDING ? " So near, rounding decides: a server may write another token." : "");
}

/** @param {View} view @param {number} u @param {string} token */
function place(view, u, token) {
  const needle = /** @type {HTMLElement | null} */ (view.strip.querySelector(".tab-needle"));
  if (needle) needle.style.left = `${100 * u}%`;
  view.strip.setAttribute("aria-valuenow", u.toFixed(4));
  view.strip.setAttribute("aria-valuetext", `${u.toFixed(4)}, ${token}`);
}

/**
 * Moves the needle before the new text is here.
 * @param {View} view @param {Token} token @param {number} u
 */
export function preview(view, token, u) {
  const hit = at(token, u);
  place(view, u, hit ? plain(hit.text) : "");
  view.preview.replaceChildren("picks ", el("span", { class: "ptp-name" }, hit ? nodes(hit.text) : ["…"]));
}

/**
 * @param {View} view
 * @param {() => Token | undefined} chosen
 * @param {(u: number) => void} moved
 */
export function listenToNeedle(view, chosen, moved) {
  let dragging = false;
  const uAt = (/** @type {PointerEvent} */ event) => {
    const box = view.strip.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, LAST);
  };
  view.strip.addEventListener("pointerdown", (event) => {
    if (!chosen() || event.button) return;
    event.preventDefault();
    view.strip.focus();
    view.strip.setPointerCapture(event.pointerId);
    dragging = true;
    moved(uAt(event));
  });
  view.strip.addEventListener("pointermove", (event) => { if (dragging) moved(uAt(event)); });
  for (const end of ["pointerup", "pointercancel"]) view.strip.addEventListener(end, () => { dragging = false; });
  view.strip.addEventListener("keydown", (event) => {
    const token = chosen();
    if (!token) return;
    const u = Number(view.strip.getAttribute("aria-valuenow")), step = event.shiftKey ? 0.05 : 0.005;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: u - step, ArrowDown: u - step, ArrowRight: u + step, ArrowUp: u + step,
      PageDown: u - 20 * step, PageUp: u + 20 * step, Home: 0, End: LAST,
    };
    if (targets[event.key] === undefined) return;
    event.preventDefault();
    moved(clamp(targets[event.key], 0, LAST));
  });
}
