// @ts-check
// The arithmetic of the network in WebAssembly, four numbers at a time. assembler.js turns this into a module.
//
// A matrix W (N, K) lies in panels of 16 of its rows: [panel][k][16 rows], in eight bits or in float32. One step over
// k reads what 16 outputs need. Every output is summed over k in the same order, however many rows the call has.
// So a token's logits are the same to the last bit in each call that holds its row.

import { I32, V128, assemble, f32x4, fused, i16x8, i32, i32x4, instantiate, loop, v128, when } from "./assembler.js";
import { all, rowKernels } from "./rows.js";

/** @typedef {import("./assembler.js").Code} Code */
/** @typedef {import("./assembler.js").Fn} Fn */
/** @typedef {import("./assembler.js").At} At */

export const PANEL = 16;
const LANES = [0, 1, 2, 3], VECTOR = 16; // bytes
const BLOCK = 4; // rows of a call that share one reading of a panel
const DIRECT = 8; // up to so many rows eight bits become floats in the loop, for more of them beforehand

/** @param {number} count */
const upTo = (count) => Array.from({ length: count }, (_, i) => i);
/** The kernels, with fused multiply-add where the browser has it. @param {boolean} isFused @returns {Fn[]} */
function kernels(isFused) {
  /** @type {(a: Code, b: Code, c: Code) => Code} */
  const madd = isFused ? fused : (a, b, c) => f32x4.add(f32x4.mul(a, b), c);

  /** One of the four vectors of floats in sixteen bytes. @param {Code} from @param {number} i */
  const widened = (from, i) => {
    const eight = i16x8.load8(from, 8 * (i >> 1));
    return f32x4.fromInt(i & 1 ? i32x4.high(eight) : i32x4.low(eight));
  };
  /** y[i] (+)= value @param {At} at @param {string} y @param {Code} value @param {number} offset */
  const put = ({ get }, y, value, offset) => when(
    get("add"),
    v128.store(get(y), f32x4.add(v128.load(get(y), offset), value), offset),
    v128.store(get(y), value, offset),
  );
  /** @param {At} at @param {number} i */
  const scale = ({ get }, i) => v128.load(get("scale"), 16 * i);

  /** One row times one panel in eight bits. @type {Fn} */
  const one = {
    name: "one",
    params: all(["x", "w", "scale", "y", "k", "add"], I32),
    locals: { end: I32, v: V128, ...all(LANES.map((i) => `s${i}`), V128) },
    body: (at) => [
      at.set("end", i32.add(at.get("x"), i32.shl(at.get("k"), i32.of(2)))),
      loop(i32.less(at.get("x"), at.get("end")), [
        at.set("v", f32x4.spread(at.get("x"))),
        LANES.map((i) => at.set(`s${i}`, madd(at.get("v"), widened(at.get("w"), i), at.get(`s${i}`)))),
        at.step("x", 4), at.step("w", PANEL),
      ]),
      LANES.map((i) => put(at, "y", f32x4.mul(at.get(`s${i}`), scale(at, i)), 16 * i)),
    ],
  };

  /** A panel in eight bits as floats. @type {Fn} */
  const widen = {
    name: "widen",
    params: all(["w", "out", "k"], I32),
    locals: { end: I32 },
    body: (at) => [
      at.set("end", i32.add(at.get("w"), i32.mul(at.get("k"), i32.of(PANEL)))),
      loop(i32.less(at.get("w"), at.get("end")), [
        LANES.map((i) => v128.store(at.get("out"), widened(at.get("w"), i), 16 * i)),
        at.step("w", PANEL), at.step("out", 4 * PANEL),
      ]),
    ],
  };

  /** Some rows times half a panel. @param {number} rows @param {number} bits @returns {Fn} */
  const some = (rows, bits) => ({
    name: `some${rows}of${bits}`,
    params: all(["x", "xs", "w", "scale", "y", "ys", "k", "add"], I32),
    locals: {
      end: I32, ...all(upTo(rows).flatMap((r) => [`x${r}`, `y${r}`]), I32), v: V128, w0: V128, w1: V128,
      ...all(upTo(2 * rows).map((i) => `s${i}`), V128),
    },
    body: (at) => [
      at.set("end", i32.add(at.get("x"), i32.shl(at.get("k"), i32.of(2)))),
      upTo(rows).map((r) => [
        at.set(`x${r}`, r ? i32.add(at.get(`x${r - 1}`), at.get("xs")) : at.get("x")),
        at.set(`y${r}`, r ? i32.add(at.get(`y${r - 1}`), at.get("ys")) : at.get("y")),
      ]),
      loop(i32.less(at.get("x0"), at.get("end")), [
        [0, 1].map((i) =>
          at.set(`w${i}`, bits === 8 ? widened(at.get("w"), i) : v128.load(at.get("w"), VECTOR * i))),
        upTo(rows).map((r) => [
          at.set("v", f32x4.spread(at.get(`x${r}`))),
          [0, 1].map((i) => at.set(`s${2 * r + i}`, madd(at.get("v"), at.get(`w${i}`), at.get(`s${2 * r + i}`)))),
          at.step(`x${r}`, 4),
        ]),
        at.step("w", PANEL * (bits / 8)),
      ]),
      upTo(2 * rows).map((i) =>
        put(at, `y${i >> 1}`, f32x4.mul(at.get(`s${i}`), scale(at, i & 1)), VECTOR * (i & 1))),
    ],
  });

  /** Y (rows, N) (+)= X (rows, K) W^T for a matrix in floats (bits 32) or in eight bits. @type {Fn} */
  const multiply = {
    name: "multiply",
    params: all(["x", "xs", "w", "scale", "y", "ys", "rows", "k", "panels", "bits", "add", "room"], I32),
    locals: all(["panel", "xr", "yr", "at", "left", "half"], I32),
    body: ({ get, set, step, call }) => {
      const half = (/** @type {number} */ bytes) => i32.mul(get("half"), i32.of(bytes));
      const part = (/** @type {number} */ rows, /** @type {number} */ bits) => [
        set("half", i32.of(0)),
        loop(i32.less(get("half"), i32.of(2)), [
          get("xr"), get("xs"), i32.add(get("at"), half(bits)), i32.add(get("scale"), half(2 * VECTOR)),
          i32.add(get("yr"), half(2 * VECTOR)), get("ys"), get("k"), get("add"), call(`some${rows}of${bits}`),
          step("half", 1),
        ]),
        set("xr", i32.add(get("xr"), i32.mul(get("xs"), i32.of(rows)))),
        set("yr", i32.add(get("yr"), i32.mul(get("ys"), i32.of(rows)))),
        step("left", -rows),
      ];
      const several = (/** @type {number} */ bits) => [
        set("xr", get("x")), set("yr", get("y")), set("left", get("rows")),
        loop(i32.less(i32.of(BLOCK - 1), get("left")), part(BLOCK, bits)),
        upTo(BLOCK - 1).map((i) => BLOCK - 1 - i).map((rows) =>
          when(i32.zero(i32.sub(get("left"), i32.of(rows))), part(rows, bits))),
      ];
      const single = [get("x"), get("w"), get("scale"), get("y"), get("k"), get("add"), call("one")];
      const direct = [set("at", get("w")), several(8)];
      const widened = [get("w"), get("room"), get("k"), call("widen"), set("at", get("room")), several(32)];
      const few = (/** @type {number} */ most, /** @type {Code} */ then, /** @type {Code} */ other) =>
        when(i32.less(get("rows"), i32.of(most + 1)), then, other);
      return loop(i32.less(get("panel"), get("panels")), [
        when(i32.less(get("bits"), i32.of(32)),
          few(1, single, few(DIRECT, direct, widened)), [set("at", get("w")), several(32)]),
        set("w", i32.add(get("w"), i32.mul(i32.mul(get("k"), i32.of(PANEL / 8)), get("bits")))),
        step("scale", 4 * PANEL), step("y", 4 * PANEL), step("panel", 1),
      ]);
    },
  };

  const blocks = [8, 32].flatMap((bits) => upTo(BLOCK).map((i) => some(i + 1, bits)));
  return [one, widen, ...blocks, multiply, ...rowKernels(madd)];
}

/** Whether this browser multiplies and adds in one step. */
export const hasFused = () => WebAssembly.validate(/** @type {BufferSource} */ (assemble(kernels(true))));

/** Whether this browser has vectors at all. */
export const canRun = () => WebAssembly.validate(/** @type {BufferSource} */ (assemble(kernels(false))));

/** The kernels over a memory. @param {WebAssembly.Memory} memory @param {boolean} isFused */
export const load = (memory, isFused) => instantiate(assemble(kernels(isFused)), memory);
