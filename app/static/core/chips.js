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
