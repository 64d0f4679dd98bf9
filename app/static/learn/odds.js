// @ts-check
// How much the dice help a draft that knows the odds only in part: exact for each pair of distributions.
import { chance } from "./kit.js";

/** P(Pick(u, p) = Pick(u, q)) over uniform u, both strips in the order of their own probabilities.
 * @param {number[]} p @param {number[]} q the odds of the same words */
export function agreement(p, q) {
  const slices = (/** @type {number[]} */ odds) => {
    const order = odds.map((_, i) => i).sort((a, b) => odds[b] - odds[a] || a - b),
      at = new Array(odds.length);
    let sum = 0;
    for (const i of order) {
      at[i] = [sum, sum + odds[i]];
      sum += odds[i];
    }
    return at;
  };
  const a = slices(p),
    b = slices(q);
  return p.reduce((sum, _, i) => sum + Math.max(0, Math.min(a[i][1], b[i][1]) - Math.max(a[i][0], b[i][0])), 0);
}

/** How much of the odds two distributions share: 1 - total variation. @param {number[]} p @param {number[]} q */
export const shared = (p, q) => p.reduce((sum, x, i) => sum + Math.min(x, q[i]), 0);

/** What a draft is worth that says its likeliest word, whatever the roll. @param {number[]} p @param {number[]} q */
export const likeliest = (p, q) => p[q.indexOf(Math.max(...q))];

/** A draft's odds: the true ones, each log-probability off by `error` times a normal number.
 * @param {number[]} p @param {number} error @param {() => number} random */
export function blurred(p, error, random) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const raw = p.map((x) => x * Math.exp(error * normal())),
    total = raw.reduce((a, b) => a + b, 0);
  return raw.map((x) => x / total);
}

/** The three shares, averaged over distributions and draws, for growing errors.
 * @param {number[][]} distributions
 * @param {number} [draws]
 * @returns {{known: number, dice: number, plain: number}[]} */
export function curve(distributions, draws = 12) {
  const random = chance(3),
    out = [];
  for (let k = 0; k <= 24; k++) {
    const error = (k / 24) ** 1.5 * 4;
    let known = 0,
      dice = 0,
      plain = 0;
    for (const p of distributions) {
      for (let n = 0; n < draws; n++) {
        const q = blurred(p, error, random);
        known += shared(p, q);
        dice += agreement(p, q);
        plain += likeliest(p, q);
      }
    }
    const count = distributions.length * draws;
    out.push({ known: known / count, dice: dice / count, plain: plain / count });
  }
  return out;
}
