// @ts-check
// Links to a text and its noise: what the address asks for, and the address that leads back here.

import { LONGEST_LINK, query, remember, rememberText } from "../core/address.js";
import { U_DIGITS } from "../core/shared.js";
import { arrived } from "../core/tab.js";
import { lead } from "./history.js";

/** @typedef {import("./history.js").State} State */
/** @typedef {{ prompt: string | null, position: number | null, edits: Record<string, number> | null }} Link */

/** What the address asks for; null if that is nothing. @returns {Link | null} */
export function linked() {
  const wanted = arrived(), edits = editsIn(wanted.get("edits") || "");
  const place = wanted.get("position"), prompt = wanted.get("prompt"), any = Object.keys(edits).length > 0;
  const position = place === null ? null : Math.max(0, Number(place) - 1 || 0);
  return prompt === null && position === null && !any ? null : { prompt, position, edits: any ? edits : null };
}

/**
 * The edits in a link, as "position:u,position.token:clock"; what is no edit is left out.
 * @param {string} text
 */
export function editsIn(text) {
  /** @type {Record<string, number>} */
  const found = {};
  for (const part of text.split(",")) {
    const [place, value] = part.split(":"), u = Number(value);
    if (/^\d+(\.\d+)?$/.test(place) && value && u >= 0 && u < 1) found[place] = u;
  }
  return found;
}

/**
 * The same the other way round.
 * @param {Record<string, number>} edits
 * @param {number} end positions from here on are left out
 */
export const editsAsText = (edits, end) => Object.entries(edits).filter(([position]) => Number(position) < end)
  .map(([position, u]) => `${position}:${Number(u.toFixed(U_DIGITS))}`).join(",");

/**
 * The link that leads here: what wrote the text, and what was moved since; null where no link can.
 * @param {State} state
 */
export function linkOf(state) {
  if (state.query === null || !state.now) return null;
  const wanted = new URLSearchParams(state.query), edits = editsAsText(state.now.meta.edits, lead(state).length);
  if (edits) wanted.set("edits", edits);
  if (state.position !== null) wanted.set("position", String(state.position + 1));
  const text = wanted.toString();
  return text.length > LONGEST_LINK ? null : text;
}

/** Keeps the address at what is shown; the page's first text needs none. @param {State} state */
export function rememberLink(state) {
  const first = state.base && state.base === state.now && state.base.meta.origin === "recorded";
  if (first && !window.location.search) return;
  const link = linkOf(state), anew = state.index === 0 && query().get("prompt") !== state.now?.meta.prompt;
  remember(link, anew); // an edit changes the address and adds no step back
  rememberText(state.query ? link && state.query : state.words);
}
