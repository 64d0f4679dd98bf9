// @ts-check
// The random numbers u of a text, as ptp_core/noise.py draws them: NumPy's Philox 4x64 with the seed as its key.

const MASK = (1n << 64n) - 1n, HALF = 64n, ROUNDS = 10;
const MULTIPLIERS = [0xD2E7470EE14C6C93n, 0xCA5A826395121157n];
const WEYL = [0x9E3779B97F4A7C15n, 0xBB67AE8584CAA73Bn];
const LARGEST = 1 - 2 ** -24; // below 1 in float32

/** The four words of a counter. @param {bigint} counter @param {bigint} key @returns {bigint[]} */
export function philox(counter, key) {
  let [a, b, c, d] = [counter & MASK, counter >> HALF, 0n, 0n];
  let [low, high] = [key & MASK, key >> HALF];
  for (let i = 0; i < ROUNDS; i++) {
    const left = a * MULTIPLIERS[0], right = c * MULTIPLIERS[1];
    [a, b, c, d] = [(right >> HALF) ^ b ^ low, right & MASK, (left >> HALF) ^ d ^ high, left & MASK];
    low = (low + WEYL[0]) & MASK;
    high = (high + WEYL[1]) & MASK;
  }
  return [a, b, c, d];
}

/** One u for each generated position. */
export class Tape {
  /**
   * @param {number | string} seed a whole number from 0 on
   * @param {Record<number, number>} [edits] values in place of the seed's own, by position
   */
  constructor(seed, edits = {}) {
    this.key = BigInt(seed);
    /** @type {Record<number, number>} */
    this.edits = {};
    for (const [position, u] of Object.entries(edits)) {
      this.edits[Number(position)] = Math.min(Math.max(Math.fround(u), 0), LARGEST);
    }
    /** @type {number[]} */
    this.drawn = [];
  }

  /** @param {number} position */
  at(position) {
    while (this.drawn.length <= position) {
      const words = philox(BigInt(this.drawn.length / 4 + 1), this.key); // the first block has the counter 1
      this.drawn.push(...words.map((word) => Number(word >> 40n) * 2 ** -24));
    }
    return this.edits[position] ?? this.drawn[position];
  }
}
