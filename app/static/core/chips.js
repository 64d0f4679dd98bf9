// @ts-check
// How a token's status shows: by colour, by its border, and by a glyph.

import { el } from "./dom.js";
import { STATUS } from "./shared.js";
import { nodes, plain } from "./text.js";

/** @typedef {import("./wire.js").Token} Token */

/** What a token stands for, in a word. @param {Token} token */
export const statusOf = (token) => (token.alone ? "plain" : token.source);

/** The same in a sentence. @param {Token} token */
export const meaningOf = (token) =>
  token.alone ? "nobody drafted this token" : STATUS[token.source].says;

/** A token's name in plain text. @param {Token} token */
export const nameOf = (token) => plain(token.text || token.label);

/** A token's name as nodes. @param {Token} token */
export const nameNodes = (token) => el("span", { class: "ptp-name" }, nodes(token.text, token.label));

/** One outline around the tokens that came out of one call. @param {Token} token @param {Token[]} together */
export function joined(token, together) {
  if (together.length < 2) return "";
  const first = token === together[0], last = token === together[together.length - 1];
  return ` is-joined${first ? " is-joined-first" : ""}${last ? " is-joined-last" : ""}`;
}

/** The same in words. @param {Token} token @param {Token[]} together */
export const ofCall = (token, together) =>
  together.length < 2 ? "" : `, ${together.indexOf(token) + 1} of ${together.length} from one call`;

/** @param {string} status */
export const glyphOf = (status) => (STATUS[status] ? STATUS[status].glyph : "");

/**
 * A text in the look of its status.
 * @param {Node[]} content
 * @param {string} status
 * @param {string} [extra] in small letters
 */
export function chip(content, status, extra) {
  const meaning = STATUS[status] ? STATUS[status].says : null;
  return el("span", { class: `ptp-chip is-${status}`, title: meaning }, [
    ...content,
    glyphOf(status) ? el("sup", { "aria-hidden": "true", text: glyphOf(status) }) : null,
    extra ? el("small", { text: extra }) : null,
  ]);
}
