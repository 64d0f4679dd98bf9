// @ts-check
// A model's text on the page: characters that cannot be seen get a sign, and right-to-left text reads that way.

import { el } from "./dom.js";

// Characters that would move, hide or break text, and halves of a surrogate pair: shown by their code point instead.
const UNSEEN = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180e" +
  "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb]" +
  "|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]",
);
/** @type {Record<string, string>} */
const GLYPHS = { " ": "␣", "\n": "↵", "\t": "⇥" };
const JOINERS = /[\u200d\ufe0f]/; // inside an emoji these belong
const LETTER = /\p{L}/u;
const RIGHT_TO_LEFT = new RegExp(
  "[\\p{Script=Hebrew}\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Thaana}\\p{Script=Nko}\\p{Script=Samaritan}" +
  "\\p{Script=Mandaic}\\p{Script=Adlam}\\p{Script=Hanifi_Rohingya}\\p{Script=Mende_Kikakui}]",
  "u",
);

/** @typedef {{ text?: string, glyph?: string, breaks?: boolean, code?: string }} Part */

/**
 * A text as parts: {text} to show as it is, {glyph} for white space, {code} for what cannot be seen.
 * @param {string} text
 */
export function parts(text) {
  /** @type {Part[]} */
  const found = [];
  let together = "";
  const flush = () => {
    if (together) found.push({ text: together });
    together = "";
  };
  const characters = Array.from(text);
  characters.forEach((character, i) => {
    const inside = i > 0 && i < characters.length - 1;
    if (character === " " && inside && characters[i - 1] !== " ") together += character;
    else if (character in GLYPHS) {
      flush();
      found.push({ glyph: GLYPHS[character], breaks: character === "\n" });
    } else if (UNSEEN.test(character) && !(i > 0 && JOINERS.test(character))) {
      flush();
      found.push({ code: codePoint(character) });
    } else together += character;
  });
  flush();
  return found;
}

/** @param {string} character */
const codePoint = (character) =>
  "U+" + (character.codePointAt(0) || 0).toString(16).toUpperCase().padStart(4, "0");

/**
 * The same as one line of plain text, for labels and pictures.
 * @param {string} text
 */
export const plain = (text) => parts(text).map((p) => p.text || p.glyph || `‹${p.code}›`).join("");

/**
 * The same as nodes. `label` stands in where the text is empty: part of a character, or the end of the text.
 * @param {string} text
 * @param {string} [label]
 */
export function nodes(text, label) {
  if (!text) return [el("i", { class: "ptp-code", text: label ? plain(label) : "…" })];
  return parts(text).map((p) =>
    p.text !== undefined
      ? el("bdi", { text: p.text })
      : el("i", { class: p.code ? "ptp-code" : `ptp-space${p.breaks ? " is-break" : ""}`, text: p.glyph || p.code }));
}

/**
 * A text on one line, as nodes: white space folded, what cannot be seen shown by its code point.
 * @param {string} text
 */
export const flow = (text) =>
  parts(text.replace(/\s+/g, " ").trim()).map((p) =>
    p.code ? el("i", { class: "ptp-code", text: p.code }) : el("bdi", { text: p.text || " " }));

/**
 * The direction that a text reads in: that of its first letter. The browser's own `dir=auto` looks past the
 * elements in which tokens stand, so whoever shows tokens sets this.
 * @param {string} text
 * @returns {"ltr" | "rtl"}
 */
export function direction(text) {
  const letter = LETTER.exec(text);
  return letter && RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
}

/**
 * The same for the text that tokens make together.
 * @param {{ text: string }[]} tokens
 */
export const directionOf = (tokens) => direction(tokens.map((token) => token.text).join(""));

/**
 * The line breaks that follow a token whose text holds some: one, or one and a gap.
 * @param {string} text
 */
export function breaksOf(text) {
  const count = (text.match(/\n/g) || []).length;
  return count > 1 ? [el("br"), el("br", { class: "ptp-gap" })] : count ? [el("br")] : [];
}

/**
 * A share in percent, with more digits the smaller it is.
 * @param {number} share
 */
export const percent = (share) => (100 * share).toFixed(share >= 0.0995 ? 0 : share >= 0.00995 ? 1 : 2) + " %";

/**
 * A count and what is counted.
 * @param {number} count
 * @param {string} what in the singular
 */
export const counted = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
