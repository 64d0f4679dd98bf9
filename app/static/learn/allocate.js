// @ts-check
// How many slots each outcome gets, as ptp_core's allocator decides: the largest expected number of right drafts.

/**
 * Expected right drafts of an allocation.
 * @param {number[]} chances
 * @param {number[][]} gains per outcome, by slots
 * @param {number[]} slots
 */
export const worth = (chances, gains, slots) =>
  slots.reduce((sum, n, m) => sum + chances[m] * (gains[m][n] ?? gains[m][gains[m].length - 1]), 0);

/** The best allocation of at most `budget` slots; of equals the one with fewer slots in earlier outcomes.
 * @param {number[]} chances @param {number[][]} gains @param {number} budget @returns {number[]} */
export function allocate(chances, gains, budget) {
  let best = /** @type {{value: number, slots: number[]}[]} */ (
    Array.from({ length: budget + 1 }, () => ({ value: 0, slots: [] }))
  );
  chances.forEach((chance, m) => {
    best = best.map((_, total) => {
      let top = { value: -1, slots: /** @type {number[]} */ ([]) };
      for (let n = 0; n <= Math.min(total, gains[m].length - 1); n++) {
        const value = best[total - n].value + chance * gains[m][n];
        if (value > top.value + 1e-12) top = { value, slots: [...best[total - n].slots, n] };
      }
      return top;
    });
  });
  return best[budget].slots;
}

/**
 * P(m drafts right, then a wrong one), for m = 0..g, from the confidences in g drafts.
 * @param {number[]} confidences
 */
export function outcomes(confidences) {
  let reached = 1;
  const chances = confidences.map((c) => {
    const p = reached * (1 - c);
    reached *= c;
    return p;
  });
  return [...chances, reached];
}
