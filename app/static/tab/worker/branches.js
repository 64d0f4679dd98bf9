// @ts-check
// How many slots prepare for which outcome: the arithmetic of ptp_core/decoding/drafters/branches.py.

const CLOSE = 1e-12, LEAST = 1e-6, MOST = 30;

/** P(m) for m = 0..g: m drafts right and then a wrong one, or all right. @param {number[]} confidences */
export function outcomes(confidences) {
  let reached = 1;
  const found = confidences.map((confidence) => {
    const here = reached * (1 - confidence);
    reached *= confidence;
    return here;
  });
  return [...found, reached];
}

/**
 * The drafts that a branch of b slots brings on average, for b = 0..longest.
 * @param {number[]} run P(N >= k) for k = 1, 2, ...
 * @param {number} settled slots at its start that bring none
 * @param {number} longest
 */
export function gains(run, settled, longest) {
  const found = [0];
  for (let b = 1, total = 0; b <= longest; b++) {
    total += run[b - settled - 1] ?? 0;
    found.push(total);
  }
  return found;
}

/**
 * The branches' lengths that bring most: at most `budget` slots, branch m at most limits[m].
 * @param {number[]} probabilities
 * @param {number[][]} gain of each branch by its length
 * @param {number} budget
 * @param {number[]} limits
 * @returns {number[]}
 */
export function allocate(probabilities, gain, budget, limits) {
  let best = new Array(budget + 1).fill(0);
  /** @type {number[][]} */
  const choices = [];
  probabilities.forEach((probability, m) => {
    const next = [...best], choice = new Array(budget + 1).fill(0);
    for (let length = 1; length <= Math.min(limits[m], gain[m].length - 1, budget); length++) {
      for (let b = length; b <= budget; b++) {
        const tried = best[b - length] + probability * gain[m][length];
        if (tried > next[b] + CLOSE) [next[b], choice[b]] = [tried, length]; // of equals the shorter
      }
    }
    best = next;
    choices.push(choice);
  });
  return choices.reverse().map((choice) => {
    const length = choice[budget];
    budget -= length;
    return length;
  }).reverse();
}

/**
 * Confidence in a draft from its probability; the margin of a draft that no noise decides is 1.
 * @param {number} prob
 * @param {number[] | null} weights [of logit(prob), of log(margin), constant]; null trusts prob as it is
 */
export function calibrated(prob, weights) {
  const held = Math.min(Math.max(prob, LEAST), 1 - LEAST);
  if (!weights) return held;
  const score = weights[0] * Math.log(held / (1 - held)) + weights[2];
  return 1 / (1 + Math.exp(-Math.max(-MOST, Math.min(MOST, score))));
}
