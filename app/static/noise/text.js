// @ts-check
// The text with its tape, and the parallel lane's beside it.

import { joined, nameOf, ofCall, statusOf } from "../core/chips.js";
import { el, find, findAll } from "../core/dom.js";
import { breaksOf, directionOf, nodes } from "../core/text.js";
import { editsAt, lead, tokensOf } from "./history.js";

/** @typedef {import("./history.js").Page} Page */
/** @typedef {import("./history.js").State} State */
/** @typedef {import("../core/wire.js").Token} Token */

const CLOSE = 0.02; // a u nearer than this to another token's bin

/** @param {Page} page */
export function drawText({ state, view }) {
  const { now, base } = state;
  if (!now) return;
  const list = lead(state), first = tokensOf(base);
  const old = state.busy && state.asked === "edit" ? tokensOf(state.old) : [];
  const differs = (/** @type {Token} */ token, /** @type {Token | undefined} */ other) =>
    !other || other.text !== token.text || other.label !== token.label;
  const shown = [
    ...list.map((token, i) => ({ token, look: base && now !== base && differs(token, first[i]) ? "is-changed" : "" })),
    ...old.slice(list.length).map((token) => ({ token, look: "is-stale" })),
  ];
  const focused = view.text.contains(document.activeElement), place = view.text.scrollTop;
  view.text.replaceChildren(...shown.flatMap(({ token, look }) =>
    [tokenNode(state, token, look), ...breaksOf(token.text)]));
  view.text.dir = directionOf(list);
  view.text.scrollTop = place;
  if (focused) find(view.text, ".nz-token.is-selected")?.focus();
  const differing = findAll(view.text, ".nz-token.is-changed").length, moved = Object.keys(now.meta.edits).length;
  view.textInfo.textContent = `${list.length} tokens` + (moved ? ` · ${moved} numbers moved` : "")
    + (differing ? ` · ${differing} tokens differ from the original` : "");
}

/**
 * @param {State} state
 * @param {Token} token
 * @param {string} look
 */
function tokenNode(state, token, look) {
  const { position, u, left, right, margin } = token, selected = position === state.position;
  const edited = state.now !== null && editsAt(state.now.meta.edits, position).length > 0;
  const close = margin !== null && margin < CLOSE;
  const says = [
    `token ${position + 1}`, nameOf(token), `u ${u.toFixed(3)}`, `bin ${left.toFixed(3)} to ${right.toFixed(3)}`,
    ...(close ? ["close to another token"] : []), ...(edited ? ["noise moved"] : []),
    ...(look === "is-changed" ? ["differs from the original"] : []),
  ].join(", ");
  const marks = [look, edited ? "is-edited" : "", close ? "is-close" : "", selected ? "is-selected" : ""];
  return el("button", {
    type: "button", tabindex: selected ? "0" : "-1", "data-position": position, "aria-label": says, title: says,
    "aria-pressed": String(selected), class: ["nz-token", ...marks].join(" "),
  }, [
    el("span", { class: "nz-word" }, nodes(token.text, token.label)),
    el("span", { class: "nz-u", "aria-hidden": "true" }, [
      el("i", { style: `bottom:${100 * left}%;height:${Math.max(100 * (right - left), 3)}%` }),
      el("b", { style: `bottom:${100 * u}%` }),
    ]),
  ]);
}

/** @param {Page} page */
export function drawParallel({ state, view }) {
  if (!state.now) return;
  const { lanes, summary } = state.now, { tokens } = lanes.ptp;
  /** @type {Map<number, Token[]>} */
  const calls = new Map();
  for (const token of tokens) calls.set(token.call, [...(calls.get(token.call) || []), token]);
  view.parallel.replaceChildren(...tokens.flatMap((token) => {
    const together = calls.get(token.call) || [token];
    const selected = token.position === state.position ? " is-selected" : "";
    const node = el("button", {
      type: "button", tabindex: "-1", class: `ptp-token is-${statusOf(token)}${joined(token, together)}${selected}`,
      "data-position": token.position,
      "aria-label": `parallel token ${token.position + 1}, ${nameOf(token)}${ofCall(token, together)}`,
    }, nodes(token.text, token.label));
    return [node, ...breaksOf(token.text).slice(0, 1)];
  }));
  view.parallel.dir = directionOf(tokens);
  const whole = !state.busy && Boolean(summary.lanes.ar && summary.lanes.ptp);
  view.same.textContent = whole ? sameText(summary) : "";
  view.same.classList.toggle("is-bad", whole && summary.divergence !== null);
}

/** @param {import("../core/wire.js").Summary} summary of two lanes */
function sameText({ lanes: { ar, ptp }, divergence }) {
  if (divergence !== null) return `≠ from token ${divergence + 1} on`;
  if (!ar || !ptp) return "";
  if (ar.tokens !== ptp.tokens) return `✓ the same as far as both came, ${Math.min(ar.tokens, ptp.tokens)} tokens`;
  return `✓ same ${ptp.tokens} tokens in ${ptp.calls} calls (${ar.calls} one by one)`;
}
