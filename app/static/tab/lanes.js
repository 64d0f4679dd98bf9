// @ts-check
// The two lanes: one token per call on the left, drafts by slots on the right, and the replay of their calls.

import { joined, nameOf, ofCall } from "../core/chips.js";
import { el } from "../core/dom.js";
import { breaksOf, counted, directionOf, nodes } from "../core/text.js";

/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {import("./worker/session.js").Step} Step */
/**
 * @typedef {{ lane: string, steps: Step[], tokens: number[], texts: string[], prompt: number }} Lane what the worker
 *   says of a lane
 * @typedef {{ name: string, tokens: Token[], calls: number, ms: number, ids: number[] }} Shown
 */

export const ROUNDING = 1e-5; // a u nearer than this to another token's slice: rounding may decide

/** A lane as the page shows it. @param {Lane} lane @returns {Shown} */
export function shownLane({ lane, steps, tokens, texts }) {
  let count = 0;
  const found = steps.flatMap((step, call) => step.emitted.map((token) => {
    const text = texts[count++];
    return /** @type {any} */ ({
      ...token, text, label: /** @type {any} */ (token).label, call, prob: token.right - token.left,
      alone: token.source === "bonus" && !step.drafts.length,
      candidates: token.candidates.map((one) => ({
        text: /** @type {any} */ (one).label, prob: one.prob, left: one.left, own: one.token === token.token,
      })),
    });
  }));
  const ms = steps.reduce((sum, step) => sum + step.ms, 0);
  return { name: lane, tokens: found, calls: steps.length, ms, ids: tokens };
}

/** Where two lanes differ first; null where they do not. @param {Shown} a @param {Shown} b */
export function parting(a, b) {
  const at = a.ids.findIndex((token, i) => token !== b.ids[i]);
  return at >= 0 ? at : a.ids.length === b.ids.length ? null : Math.min(a.ids.length, b.ids.length);
}

/**
 * Draws a lane as far as the replay has come.
 * @param {HTMLElement} box
 * @param {Shown} lane
 * @param {{ head: number | null, position: number, edits: Record<number, number>, before: number[] | null }} look
 *   head: calls that are shown, null for all; before: the tokens that stood here before the needle moved
 */
export function drawLane(box, lane, { head, position, edits, before }) {
  /** @type {Map<number, Token[]>} */
  const calls = new Map();
  for (const token of lane.tokens) calls.set(token.call, [...(calls.get(token.call) || []), token]);
  const first = lane.name === "ar", focused = box.contains(document.activeElement), top = box.scrollTop;
  box.replaceChildren(...lane.tokens.flatMap((token, i) => {
    const together = calls.get(token.call) || [token], status = token.alone ? "plain" : token.source;
    const changed = before !== null && before[i] !== lane.ids[i];
    const marks = [
      `ptp-token is-${status}${joined(token, together)}`, token.position === position ? "is-selected" : "",
      head !== null && token.call >= head ? "is-future" : "", head !== null && token.call === head - 1 ? "is-now" : "",
      changed ? "is-changed" : "", token.position in edits ? "is-edited" : "",
    ];
    const says = `token ${token.position + 1}, ${nameOf(token)}, u ${token.u.toFixed(3)}${ofCall(token, together)}`
      + (changed ? ", changed" : "") + (token.position in edits ? ", noise moved" : "");
    const look = { class: marks.filter(Boolean).join(" "), "data-position": token.position, title: says };
    const cut = token.text.lastIndexOf("\n") + 1, indent = token.text.slice(cut); // of the line that it begins
    const node = el("button", {
      ...look, type: "button", tabindex: first && token.position === position ? "0" : "-1", "aria-label": says,
      "aria-pressed": String(token.position === position),
    }, nodes(cut ? token.text.slice(0, cut) : token.text, token.label));
    const rest = cut && indent ? el("span", { ...look, "aria-hidden": "true" }, nodes(indent)) : null;
    return [node, ...breaksOf(token.text), ...(rest ? [rest] : [])];
  }));
  box.dir = directionOf(lane.tokens);
  box.scrollTop = top;
  if (focused) /** @type {HTMLElement | null} */ (box.querySelector(".is-selected"))?.focus();
}

/** What a lane took. @param {Shown} lane @param {number | null} head */
export function laneFacts(lane, head) {
  const calls = head === null ? lane.calls : Math.min(head, lane.calls);
  const count = lane.tokens.filter((token) => token.call < calls).length;
  return `${counted(count, "token")} · ${counted(calls, "call")}`
    + (head === null ? ` · ${lane.ms.toFixed(0)} ms` : "");
}

/** Whether both lanes wrote the same, in a sentence. @param {Shown} a @param {Shown} b */
export function sameness(a, b) {
  const at = parting(a, b);
  if (at === null) return `✓ the same ${counted(a.ids.length, "token")}`;
  const margin = a.tokens[at]?.margin;
  return `≠ from token ${at + 1} on` + (margin == null ? "" : ` (margin ${margin.toExponential(1)})`);
}
