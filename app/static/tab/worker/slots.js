// @ts-check
// Slots in the browser: the u embedding, the chain head, and the drafts that their outputs name.

import { likeliestOf } from "./sampling.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {{ token: number, prob: number }} Guess */

const COLDEST = 0.05, NORM_EPS = 1e-5, FLOAT = 4, NUM_BEFORE = 2;
export const UNTOLD = 0.5; // what a slot that is not told its noise carries

const silu = (/** @type {number} */ x) => x / (1 + Math.exp(-x));

/** @param {ArrayLike<number>} x @param {Float32Array} out its layer norm, without weights */
function layerNorm(x, out) {
  let mean = 0, square = 0;
  for (let i = 0; i < x.length; i++) mean += x[i] / x.length;
  for (let i = 0; i < x.length; i++) square += (x[i] - mean) ** 2 / x.length;
  for (let i = 0; i < x.length; i++) out[i] = (x[i] - mean) / Math.sqrt(square + NORM_EPS);
}

/** The slots of one adapter. */
export class Slots {
  /** @param {Network} network @param {string} adapter by its name in the head */
  constructor(network, adapter) {
    this.network = network;
    this.adapter = adapter;
    this.config = network.head.adapters[adapter];
    /** embeddings by u and temperature @type {Map<string, Float32Array>} */
    this.known = new Map();
  }

  /**
   * rows (rows, N) = x (rows, K) W^T + bias.
   * @param {string} layer @param {Float32Array[]} x @returns {Float32Array[]}
   */
  linear(layer, x) {
    const net = this.network, name = `${this.adapter}.${layer}`, { rows: outputs, columns } = net.tensor(name);
    const width = Math.ceil(outputs / 16) * 16, from = net.at.side / FLOAT, to = net.at.side2 / FLOAT;
    x.forEach((row, i) => net.floats.set(row, from + i * columns));
    net.multiply(name, { x: net.at.side, xs: columns, y: net.at.side2, ys: width, rows: x.length });
    const bias = net.vector(`${name}.bias`);
    return x.map((_, i) => net.floats.slice(to + i * width, to + i * width + outputs).map((y, n) => y + bias[n]));
  }

  /** Input rows of slots with these u. @param {number[]} u @param {number} temperature @returns {Float32Array[]} */
  embed(u, temperature) {
    if (!this.config.reads_u) return u.map(() => this.network.vector(`${this.adapter}.u.vector`));
    const missing = [...new Set(u)].filter((value) => !this.known.has(`${value} ${temperature}`));
    if (missing.length) {
      if (this.known.size > 4096) this.known.clear();
      const inner = this.linear("u.net.0", missing.map((value) => this.features(value, temperature)));
      const outer = this.linear("u.net.2", inner.map((row) => row.map(silu)));
      missing.forEach((value, i) => this.known.set(`${value} ${temperature}`, outer[i]));
    }
    return this.embedKnown(u, temperature);
  }

  /** @param {number[]} u @param {number} temperature @returns {Float32Array[]} */
  embedKnown(u, temperature) {
    return u.map((value) => /** @type {Float32Array} */ (this.known.get(`${value} ${temperature}`)));
  }

  /** u as ptp_core/model/u_embedding.py's Fourier sees it. @param {number} u @param {number} temperature */
  features(u, temperature) {
    const round = Math.fround, heat = Math.max(round(temperature), round(COLDEST));
    const frequencies = [...this.network.vector(`${this.adapter}.u.frequencies`)];
    const angles = frequencies.map((frequency) => round(round(round(Math.PI) * frequency) * u));
    const ends = [1, 2, 3, 4, 5, 6, 7, 8].map((k) => round(10 ** -k));
    return Float32Array.from([
      u, ...angles.map(Math.cos), ...angles.map(Math.sin), ...ends.map((end) => Math.log(round(u + end)) / 4),
      ...ends.map((end) => Math.log(round(round(1 - u) + end)) / 4), 2 * round(heat - round(0.7)), Math.log(heat),
    ]);
  }

  /**
   * The chain head: states of slots that are told the two tokens before their own.
   * @param {Float32Array[]} slots @param {[number, number][]} before the nearest last @param {Float32Array[]} settling
   */
  chained(slots, before, settling) {
    const { hidden } = this.network.model;
    const inputs = slots.map((slot, r) => {
      const row = new Float32Array((2 + NUM_BEFORE) * hidden), embedded = new Float32Array(hidden);
      const part = (/** @type {number} */ i) => row.subarray(i * hidden, (i + 1) * hidden);
      layerNorm(slot, part(0));
      before[r].forEach((token, i) => {
        this.network.embed(token, embedded);
        layerNorm(embedded, part(1 + i));
      });
      layerNorm(settling[r], part(1 + NUM_BEFORE));
      return row;
    });
    const inner = this.linear("chain.inner", inputs), width = inner[0].length / 2;
    const gated = inner.map((row) => row.subarray(0, width).map((gate, i) => silu(gate) * row[width + i]));
    return this.linear("chain.outer", gated).map((row, r) => row.map((value, i) => value + slots[r][i]));
  }

  /** The likeliest token of each state, with its probability. @param {Float32Array[]} states @returns {Guess[]} */
  guesses(states) {
    const net = this.network, { hidden, vocab } = net.model, place = net.at.side / FLOAT;
    states.forEach((state, i) => net.floats.set(state, place + i * hidden));
    const logits = net.logits(place, states.length);
    return states.map((_, i) => likeliestOf(logits.subarray(i * net.logitsWidth, i * net.logitsWidth + vocab)));
  }

  /**
   * Drafts of a branch's slots, one after the other, each told the drafts before it.
   * @param {Float32Array[]} slots @param {[number, number]} front @param {Float32Array} settling @returns {Guess[]}
   */
  chain(slots, front, settling) {
    return slots.map((slot) => {
      const [found] = this.guesses(this.chained([slot], [front], [settling]));
      front = [front[1], found.token];
      return found;
    });
  }
}
