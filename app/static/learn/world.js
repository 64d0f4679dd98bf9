// @ts-check
// The toy world of word pairs, known exactly: six first words, ten second words, three of them behind each first one.
import { pick } from "./kit.js";

/** @param {any} recorded the recorded data of the lab's toy world */
export function world(recorded) {
  const names = recorded.first.map((/** @type {any[]} */ f) => f[0]);
  /** @type {number[]} */ const first = recorded.first.map((/** @type {any[]} */ f) => f[1]);
  /** @type {number[][]} */ const second = recorded.second;
  /** @type {string[]} */ const words = recorded.words;
  /** The odds of the second word where the first is not known. */
  const mix = words.map((_, b) => first.reduce((sum, p, a) => sum + p * second[a][b], 0));
  const impossible = words.map((_, b) => first.reduce((sum, p, a) => sum + (second[a][b] === 0 ? p : 0), 0));
  const best = impossible.indexOf(Math.min(...impossible));
  return {
    names,
    first,
    second,
    words,
    mix,
    /** How often a pair is impossible if both words have the right odds, but apart. */
    apart: mix.reduce((sum, p, b) => sum + p * impossible[b], 0),
    /** The one word that fits behind most first words. */
    stubborn: { word: best, invalid: impossible[best] },
    /** The pair at (u1, u2). @param {number} u1 @param {number} u2 @returns {[number, number]} */
    pair(u1, u2) {
      const a = pick(first, u1);
      return [a, pick(second[a], u2)];
    },
  };
}

/** @typedef {ReturnType<typeof world>} World */
