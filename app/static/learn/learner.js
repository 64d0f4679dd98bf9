// @ts-check
// Networks that learn the toy world's second word: one is told the first roll, one is not, one may be denied its own.
import { chance, pick } from "./kit.js";
import { network } from "./network.js";

/** @typedef {import("./world.js").World} World */

const NOTCHES = 32,
  OF_U = NOTCHES + 1;
export const BATCH = 128;
export const STEPS = 160;
export const RATE = 0.006;

/** A roll as a network reads it: which of 32 notches it has passed, and the roll itself. @param {number} u */
export function notched(u) {
  const x = new Float64Array(OF_U);
  for (let i = 0; i < NOTCHES; i++) x[i] = u > (i + 0.5) / NOTCHES ? 1 : 0;
  x[NOTCHES] = u;
  return x;
}

/**
 * What each kind reads. Inputs: u1's notches, u2's notches, whether u2 is given, and a constant.
 * says: "word" (the likeliest output) or "odds" (Pick with u2).
 */
export const KINDS = {
  told: { u1: true, u2: 1, says: "word" },
  apart: { u1: false, u2: 0, says: "odds" },
  flavours: { u1: true, u2: 0.5, says: "word" }, // u2 is given for half of the examples
};

/** @param {World} world @param {keyof typeof KINDS} kind @param {number} [seed] */
export function learner(world, kind, seed = 1) {
  const { u1: told, u2: given, says } = KINDS[kind],
    random = chance(seed);
  const D = 2 * OF_U + 2,
    K = world.words.length;
  const net = network({ inputs: D, hidden: 64, outputs: K }, random);
  let steps = 0,
    loss = NaN;

  const inputs = (/** @type {number | null} */ u1, /** @type {number | null} */ u2) => {
    const x = new Float64Array(D);
    if (u1 !== null) x.set(notched(u1), 0);
    if (u2 !== null) {
      x.set(notched(u2), OF_U);
      x[D - 2] = 1;
    }
    x[D - 1] = 1;
    return x;
  };

  /** One step on texts of the world that were just rolled. */
  function train() {
    const rows = [],
      targets = new Int32Array(BATCH);
    for (let n = 0; n < BATCH; n++) {
      const u1 = random(),
        u2 = random();
      targets[n] = world.pair(u1, u2)[1];
      rows.push(inputs(told ? u1 : null, random() < given ? u2 : null));
    }
    const rate = RATE * Math.max(0.1, 1 - steps / STEPS);
    loss = net.step(rows, targets, rate);
    steps += 1;
    return loss;
  }

  /** The odds of the second word. @param {number | null} u1 @param {number | null} u2 @returns {number[]} */
  const odds = (u1, u2) => Array.from(net.odds(inputs(told ? u1 : null, given ? u2 : null)));

  /**
   * The second word at every midpoint of a square: rows of u1, columns of u2.
   * @param {number} side
   * @returns {Uint8Array}
   */
  function square(side) {
    const words = new Uint8Array(side * side),
      own = says === "word";
    const axis = Array.from({ length: side }, (_, i) => (i + 0.5) / side);
    const nothing = net.part([], 0),
      alone = net.part([1], D - 1);
    const firsts = axis.map((u) => (told ? net.part(notched(u), 0) : nothing));
    const seconds = axis.map((u) => (own ? net.part([...notched(u), 1, 1], OF_U) : alone));
    for (let i = 0; i < side; i++) {
      const before = own || (i > 0 && !told) ? null : net.joined(firsts[i], alone);
      for (let j = 0; j < side; j++) {
        const y = own ? net.joined(firsts[i], seconds[j]) : before;
        if (y === null)
          words[i * side + j] = words[j]; // without u1 every row is the first one
        else words[i * side + j] = own ? largest(y) : pick(y, axis[j]);
      }
    }
    return words;
  }

  return {
    train,
    odds,
    square,
    get steps() {
      return steps;
    },
    get loss() {
      return loss;
    },
    kind,
  };
}

/** @param {ArrayLike<number>} values */
export function largest(values) {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[best]) best = k;
  return best;
}

/** The world's own second words over the square. @param {World} world @param {number} side */
export function truth(world, side) {
  const words = new Uint8Array(side * side);
  for (let i = 0; i < side; i++)
    for (let j = 0; j < side; j++) words[i * side + j] = world.pair((i + 0.5) / side, (j + 0.5) / side)[1];
  return words;
}

/**
 * Shares of the square that are right, and that are nonsense.
 * @param {World} world
 * @param {Uint8Array} words
 * @param {number} side
 */
export function measure(world, words, side) {
  let right = 0,
    nonsense = 0;
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      const [a, b] = world.pair((i + 0.5) / side, (j + 0.5) / side),
        said = words[i * side + j];
      right += Number(said === b);
      nonsense += Number(world.second[a][said] === 0);
    }
  }
  return { right: right / side ** 2, nonsense: nonsense / side ** 2 };
}
