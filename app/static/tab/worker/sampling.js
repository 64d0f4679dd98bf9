// @ts-check
// From logits to the token that u picks, step by step as ptp_core/sampling.py does it in float32.

/**
 * @typedef {{ temperature: number, topK: number, topP: number, order: string }} Sampling
 * @typedef {{ tokens: number[], probs: number[], right: number[] }} Candidates in the order of the CDF; `right`: the
 *   right edge of each token's slice
 */

const round = Math.fround;

/** Sums of the first 1, 2, ... numbers, added in full precision and then rounded. @param {number[]} values */
function runningSum(values) {
  let sum = 0;
  return values.map((value) => round((sum += value)));
}

/** @param {number[]} logits @param {number} top @param {number} temperature */
function softmax(logits, top, temperature) {
  const powers = logits.map((value) => round(Math.exp(round(round(value - top) / round(temperature)))));
  const sum = round(powers.reduce((total, value) => total + value, 0));
  return powers.map((value) => round(value / sum));
}

/**
 * The `count` likeliest tokens, the likeliest first, of equals the lower number.
 * @param {Float32Array} logits
 * @param {number} count
 */
function likeliest(logits, count) {
  const values = new Float32Array(count), tokens = new Int32Array(count);
  let size = 0;
  for (let token = 0; token < logits.length; token++) {
    const value = logits[token];
    if (size === count && !(value > values[count - 1])) continue;
    let i = size < count ? size++ : count - 1;
    for (; i > 0 && value > values[i - 1]; i--) [values[i], tokens[i]] = [values[i - 1], tokens[i - 1]];
    [values[i], tokens[i]] = [value, token];
  }
  return Array.from(tokens);
}

/**
 * The final distribution behind logits. Temperature 0 has one candidate; topK 0 and topP 1 filter nothing.
 * @param {Float32Array} logits
 * @param {Sampling} sampling
 * @returns {Candidates}
 */
export function candidates(logits, { temperature, topK, topP, order }) {
  if (!(temperature > 0)) return { tokens: [argmax(logits)], probs: [1], right: [1] };
  let tokens = likeliest(logits, Math.min(topK || logits.length, logits.length));
  let probs = softmax(tokens.map((token) => logits[token]), logits[tokens[0]], temperature);
  if (topP < 1) {
    const before = [-1, ...runningSum(probs)], most = round(topP);
    probs = probs.map((prob, i) => (before[i] < most ? prob : 0));
  }
  const sum = round(probs.reduce((total, value) => total + value, 0));
  let kept = tokens.map((token, i) => ({ token, prob: round(probs[i] / sum) })).filter(({ prob }) => prob > 0);
  if (order === "token_id") kept = kept.sort((a, b) => a.token - b.token);
  tokens = kept.map(({ token }) => token);
  probs = kept.map(({ prob }) => prob);
  const right = runningSum(probs).map((edge) => Math.min(edge, 1));
  right[right.length - 1] = 1;
  return { tokens, probs, right };
}

/** The place among the candidates of the token that u picks. @param {Candidates} found @param {number} u */
export const columnOf = ({ right }, u) => {
  const column = right.findIndex((edge) => edge > u);
  return column < 0 ? right.length - 1 : column;
};

/**
 * The slice of a candidate, and how far u is from the nearest slice of another token; null where there is no other.
 * @param {Candidates} found
 * @param {number} column
 * @param {number} u
 */
export function slice({ right }, column, u) {
  const left = column ? right[column - 1] : 0, end = right[column];
  const distances = [...(left > 0 ? [u - left] : []), ...(end < 1 ? [end - u] : [])];
  return { left, right: end, margin: distances.length ? Math.min(...distances) : null };
}

/** The likeliest token, of equals the lower number. @param {Float32Array} logits */
export function argmax(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** The likeliest token and its probability before any filter, at temperature 1. @param {Float32Array} logits */
export function likeliestOf(logits) {
  const token = argmax(logits), top = logits[token];
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - top);
  return { token, prob: 1 / sum };
}
