// @ts-check
// The network in the browser's memory: one call runs rows of tokens and of slots through all layers.
//
// Tokens' rows meet the target's weights only; the low-rank deltas of an adapter are added to slots' rows.
// Keys and values of the rows lie in a cache; each row of a call has a list of the cache's rows that it sees.

import { memoryFor } from "./assembler.js";
import { PANEL, hasFused, load } from "./kernels.js";

/** @typedef {{ at: number, size?: number, scale?: number, rows?: number, columns?: number, bits?: number }} Tensor */
/**
 * @typedef {{ hidden: number, heads: number, groups: number, size: number, mlp: number, layers: number,
 *   vocab: number, context: number, eps: number, frequencies: number[] }} Model
 * @typedef {{ name: string, bytes: number, model: Model, tensors: Record<string, Tensor>,
 *   adapters: Record<string, any>, vocabulary: any }} Head what app/tab/pack.py writes
 * @typedef {{ positions: number[], seen: number[][], first: number }} Layout of a call: each row's position and the
 *   cache's rows that it sees; its own rows lie in the cache from `first` on
 */

export const MOST_ROWS = 768; // of one call
const FLOAT = 4, WASM_PAGE = 65536;
const PRODUCTS = ["qkv", "out", "gate_up", "down"];

/** @param {number} n */
const whole = (n) => Math.ceil(n / PANEL) * PANEL;

export class Network {
  /**
   * @param {Head} head
   * @param {ArrayBuffer} binary
   * @param {boolean} [isFused] whether sums are rounded once per step, where the browser can
   */
  constructor(head, binary, isFused = hasFused()) {
    const { model } = head;
    this.head = head;
    this.model = model;
    this.isFused = isFused;
    this.cacheRows = model.context + MOST_ROWS;
    const key = model.groups * model.size;
    this.widths = {
      qkv: model.heads * model.size + 2 * key, out: model.hidden, gate_up: 2 * model.mlp, down: model.hidden,
    };
    const ranks = Object.entries(head.tensors).filter(([name]) => name.endsWith(".a")).map(([, t]) => t.rows || 0);
    this.rank = Math.max(PANEL, ...ranks.map(whole));
    this.logitsWidth = whole(model.vocab);
    let end = Math.ceil(binary.byteLength / WASM_PAGE) * WASM_PAGE;
    const room = (/** @type {number} */ floats) => {
      const at = end;
      end += Math.ceil((floats * FLOAT) / 64) * 64;
      return at;
    };
    const rows = MOST_ROWS;
    this.at = {
      x: room(rows * model.hidden), h: room(rows * Math.max(model.hidden, model.heads * model.size)),
      qkv: room(rows * this.widths.qkv), gates: room(rows * this.widths.gate_up), inner: room(rows * model.mlp),
      low: room(rows * this.rank), logits: room(rows * this.logitsWidth),
      cos: room((model.size / 2) * model.context), sin: room((model.size / 2) * model.context),
      keys: room(rows * this.cacheRows), scores: room(this.cacheRows + PANEL),
      panel: room(PANEL * Math.max(model.mlp, 8 * model.hidden, this.widths.gate_up)),
      k: room(model.layers * this.cacheRows * key), v: room(model.layers * this.cacheRows * key),
      side: room(rows * 8 * model.hidden), side2: room(rows * 8 * model.hidden),
    };
    this.key = key;
    this.memory = memoryFor(end);
    new Uint8Array(this.memory.buffer).set(new Uint8Array(binary));
    this.floats = new Float32Array(this.memory.buffer);
    this.ints = new Int32Array(this.memory.buffer);
    this.bytes = new Int8Array(this.memory.buffer);
    this.kernels = load(this.memory, isFused);
    this.turns();
  }

  /** Cosines and sines of all positions. */
  turns() {
    const { frequencies, context, size } = this.model, half = size / 2;
    for (let position = 0; position < context; position++) {
      frequencies.forEach((frequency, i) => {
        const angle = Math.fround(position * Math.fround(frequency));
        this.floats[this.at.cos / FLOAT + position * half + i] = Math.cos(angle);
        this.floats[this.at.sin / FLOAT + position * half + i] = Math.sin(angle);
      });
    }
  }

  /** @param {string} name @returns {Required<Tensor>} */
  tensor(name) {
    return /** @type {Required<Tensor>} */ (this.head.tensors[name]);
  }

  /** A vector of the file. @param {string} name */
  vector(name) {
    const { at, size } = this.tensor(name);
    return this.floats.subarray(at / FLOAT, at / FLOAT + size);
  }

  /** The embedding of a token. @param {number} token @param {Float32Array} out */
  embed(token, out) {
    const { at, scale, columns } = this.tensor("embed");
    const start = at + Math.floor(token / PANEL) * columns * PANEL + (token % PANEL);
    const bits = this.tensor("embed").bits, size = this.floats[scale / FLOAT + token];
    for (let k = 0; k < columns; k++) {
      out[k] = bits === 8 ? this.bytes[start + k * PANEL] * size : this.floats[at / FLOAT + start - at + k * PANEL];
    }
  }

  /**
   * rows of y (+)= x W^T; x and y are bytes' places, xs and ys the floats between rows.
   * @param {string} name
   * @param {{ x: number, xs: number, y: number, ys: number, rows: number, add?: boolean }} call
   */
  multiply(name, { x, xs, y, ys, rows, add = false }) {
    const { at, scale, rows: outputs, columns, bits } = this.tensor(name);
    this.kernels.multiply(
      x, xs * FLOAT, at, scale, y, ys * FLOAT, rows, columns, whole(outputs) / PANEL, bits, add ? 1 : 0, this.at.panel,
    );
  }

  /**
   * Last hidden states (rows, hidden) of tokens and then slots; a view that the next call overwrites.
   * @param {number[]} tokens
   * @param {Float32Array[]} slots embedded already
   * @param {Layout} layout
   * @param {string} [adapter] whose deltas the slots get
   */
  run(tokens, slots, layout, adapter = "") {
    const { model, at, floats, key, widths } = this, { hidden, layers, size, heads, groups, mlp, context } = model;
    const rows = tokens.length + slots.length, half = size / 2, queries = heads * size;
    if (rows > MOST_ROWS) throw new Error(`A call has ${rows} rows, more than ${MOST_ROWS}.`);
    const place = at.x / FLOAT;
    const row = (/** @type {number} */ i) => floats.subarray(place + i * hidden, place + (i + 1) * hidden);
    tokens.forEach((token, i) => this.embed(token, row(i)));
    slots.forEach((slot, i) => row(tokens.length + i).set(slot));
    const starts = this.seen(layout.seen);
    const turn = layout.positions.map((p) => Math.min(p, context - 1) * half * FLOAT);
    const share = 1 / Math.sqrt(size);
    /** @type {(product: string, layer: number, call: any) => void} */
    const product = (name, layer, call) => {
      this.multiply(`${layer}.${name}`, { ...call, rows });
      if (slots.length && adapter) this.delta(adapter, layer, name, call, tokens.length, slots.length);
    };
    for (let layer = 0; layer < layers; layer++) {
      this.norm(`${layer}.norm_in`, rows);
      product("qkv", layer, { x: at.h, xs: hidden, y: at.qkv, ys: widths.qkv });
      const cache = layer * this.cacheRows * key;
      for (let i = 0; i < rows; i++) {
        const from = at.qkv + i * widths.qkv * FLOAT, where = cache + (layout.first + i) * key;
        this.kernels.rotate(from, heads + groups, half, at.cos + turn[i], at.sin + turn[i]);
        const k = from / FLOAT + queries, v = k + key;
        floats.copyWithin(at.k / FLOAT + where, k, k + key);
        floats.copyWithin(at.v / FLOAT + where, v, v + key);
      }
      for (let i = 0; i < rows; i++) {
        this.kernels.attend(
          at.qkv + i * widths.qkv * FLOAT, starts[i], layout.seen[i].length, at.k + cache * FLOAT, at.v + cache * FLOAT,
          groups, heads / groups, size, at.h + i * queries * FLOAT, at.scores, share,
        );
      }
      product("out", layer, { x: at.h, xs: queries, y: at.x, ys: hidden, add: true });
      this.norm(`${layer}.norm_mlp`, rows);
      product("gate_up", layer, { x: at.h, xs: hidden, y: at.gates, ys: widths.gate_up });
      for (let i = 0; i < rows; i++) {
        this.kernels.gated(at.gates + i * widths.gate_up * FLOAT, at.inner + i * mlp * FLOAT, mlp);
      }
      product("down", layer, { x: at.inner, xs: mlp, y: at.x, ys: hidden, add: true });
    }
    this.norm("norm", rows);
    return floats.subarray(at.h / FLOAT, at.h / FLOAT + rows * hidden);
  }

  /** Writes what rows see as bytes' distances in the cache; where each list begins. @param {number[][]} lists */
  seen(lists) {
    let at = this.at.keys;
    return lists.map((list) => {
      const start = at;
      for (const row of list) {
        this.ints[at / 4] = row * this.key * FLOAT;
        at += 4;
      }
      return start;
    });
  }

  /** The norm of all rows of x, into h. @param {string} name @param {number} rows */
  norm(name, rows) {
    const { hidden, eps } = this.model, weight = this.tensor(name).at;
    for (let i = 0; i < rows; i++) {
      const step = i * hidden * FLOAT;
      this.kernels.norm(this.at.x + step, weight, this.at.h + step, hidden, eps);
    }
  }

  /**
   * Adds an adapter's deltas to the slots' rows of a product.
   * @param {string} adapter
   * @param {number} layer
   * @param {string} product
   * @param {{ x: number, xs: number, y: number, ys: number }} call
   * @param {number} first
   * @param {number} rows
   */
  delta(adapter, layer, product, { x, xs, y, ys }, first, rows) {
    const name = `${adapter}.${layer}.${product}`, { low } = this.at;
    if (!this.head.tensors[`${name}.a`]) return;
    const ranks = this.tensor(`${name}.a`).rows;
    this.multiply(`${name}.a`, { x: x + first * xs * FLOAT, xs, y: low, ys: this.rank, rows });
    let from = 0, column = 0;
    for (const [i, width] of this.parts(product).entries()) {
      const b = this.head.tensors[`${name}.b${i}`];
      if (b) {
        this.multiply(`${name}.b${i}`, {
          x: low + from * FLOAT, xs: this.rank, y: y + (first * ys + column) * FLOAT, ys, rows, add: true,
        });
        from += b.columns || ranks;
      }
      column += width;
    }
  }

  /** The widths of the layers that one product joins. @param {string} product */
  parts(product) {
    const { heads, groups, size, hidden, mlp } = this.model, key = groups * size;
    return { qkv: [heads * size, key, key], out: [hidden], gate_up: [mlp, mlp], down: [hidden] }[product] || [];
  }

  /**
   * Logits of hidden states (rows, hidden) that begin at a float's place; a view, `logitsWidth` apart.
   * @param {number} place
   * @param {number} rows
   */
  logits(place, rows) {
    const name = this.head.tensors.head ? "head" : "embed", ys = this.logitsWidth;
    this.multiply(name, { x: place * FLOAT, xs: this.model.hidden, y: this.at.logits, ys, rows });
    return this.floats.subarray(this.at.logits / FLOAT, this.at.logits / FLOAT + rows * ys);
  }
}
