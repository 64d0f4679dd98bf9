// @ts-check
// What happens to single rows of a call: norms, positions, the gate of the MLP, attention. For kernels.js.

import { F32, I32, V128, f32, f32x4, i32, i32x4, loop, v128 } from "./assembler.js";

/** @typedef {import("./assembler.js").Code} Code */
/** @typedef {import("./assembler.js").Fn} Fn */
/** @typedef {import("./assembler.js").At} At */

const LANES = [0, 1, 2, 3], VECTOR = 16; // bytes

/** @param {string[]} names @param {number} type */
export const all = (names, type) => Object.fromEntries(names.map((name) => [name, type]));

/** e^x, as Cephes computes it in float32: 2^n times a polynomial of what is left. @param {At} at @param {Code} x */
function exponential({ get, set }, x) {
  const terms = [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];
  const left = get("e"), n = get("n");
  return [
    set("e", f32x4.max(f32x4.min(x, f32x4.of(88)), f32x4.of(-87))),
    set("n", f32x4.nearest(f32x4.mul(left, f32x4.of(Math.LOG2E)))),
    set("e", f32x4.sub(f32x4.sub(left, f32x4.mul(n, f32x4.of(0.693359375))), f32x4.mul(n, f32x4.of(-2.12194440e-4)))),
    set("p", f32x4.of(terms[0])),
    terms.slice(1).map((term) => set("p", f32x4.add(f32x4.mul(get("p"), left), f32x4.of(term)))),
    set("p", f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(get("p"), left), left), left), f32x4.of(1))),
    set("p", f32x4.mul(get("p"), i32x4.shl(i32x4.add(i32x4.fromFloat(n), i32x4.splat(i32.of(127))), i32.of(23)))),
  ];
}

const EXPONENTIAL = { e: V128, n: V128, p: V128 };

/** @param {At} at @param {string} name @returns {Code} the sum of a vector's lanes */
const total = ({ get }, name) =>
  f32.add(f32.add(f32x4.lane(get(name), 0), f32x4.lane(get(name), 1)),
    f32.add(f32x4.lane(get(name), 2), f32x4.lane(get(name), 3)));

/** The kernels of single rows. @param {(a: Code, b: Code, c: Code) => Code} madd @returns {Fn[]} */
export function rowKernels(madd) {
  /** Root mean square norm of a row (size) with its weight. @type {Fn} */
  const norm = {
    name: "norm",
    params: { ...all(["x", "weight", "y", "size"], I32), eps: F32 },
    locals: { end: I32, at: I32, s: V128, f: F32 },
    body: ({ get, set, step, ...at }) => [
      set("at", get("x")), set("end", i32.add(get("x"), i32.shl(get("size"), i32.of(2)))),
      loop(i32.less(get("at"), get("end")), [
        set("s", madd(v128.load(get("at")), v128.load(get("at")), get("s"))), step("at", 16),
      ]),
      set("f", f32.div(f32.of(1), f32.sqrt(
        f32.add(f32.div(total({ get, set, step, ...at }, "s"), f32.fromInt(get("size"))), get("eps"))))),
      loop(i32.less(get("x"), get("end")), [
        v128.store(get("y"),
          f32x4.mul(f32x4.mul(v128.load(get("x")), f32x4.splat(get("f"))), v128.load(get("weight")))),
        step("x", 16), step("y", 16), step("weight", 16),
      ]),
    ],
  };

  /** Turns heads of 2 half numbers by the angles of a position. @type {Fn} */
  const rotate = {
    name: "rotate",
    params: all(["x", "heads", "half", "cos", "sin"], I32),
    locals: { i: I32, wide: I32, from: I32, to: I32, a: V128, b: V128, c: V128, s: V128 },
    body: ({ get, set, step }) => [
      set("wide", i32.shl(get("half"), i32.of(2))),
      loop(get("heads"), [
        set("i", i32.of(0)),
        loop(i32.less(get("i"), get("wide")), [
          set("from", i32.add(get("x"), get("i"))), set("to", i32.add(get("from"), get("wide"))),
          set("a", v128.load(get("from"))), set("b", v128.load(get("to"))),
          set("c", v128.load(i32.add(get("cos"), get("i")))), set("s", v128.load(i32.add(get("sin"), get("i")))),
          v128.store(get("from"), f32x4.sub(f32x4.mul(get("a"), get("c")), f32x4.mul(get("b"), get("s")))),
          v128.store(get("to"), f32x4.add(f32x4.mul(get("b"), get("c")), f32x4.mul(get("a"), get("s")))),
          step("i", 16),
        ]),
        set("x", i32.add(get("x"), i32.shl(get("wide"), i32.of(1)))), step("heads", -1),
      ]),
    ],
  };

  /** y = silu(gate) up, for a row [gate (size) | up (size)]. @type {Fn} */
  const gated = {
    name: "gated",
    params: all(["x", "y", "size"], I32),
    locals: { end: I32, up: I32, g: V128, ...EXPONENTIAL },
    body: (at) => [
      at.set("up", i32.add(at.get("x"), i32.shl(at.get("size"), i32.of(2)))), at.set("end", at.get("up")),
      loop(i32.less(at.get("x"), at.get("end")), [
        at.set("g", v128.load(at.get("x"))), exponential(at, f32x4.neg(at.get("g"))),
        v128.store(at.get("y"), f32x4.mul(
          f32x4.div(at.get("g"), f32x4.add(f32x4.of(1), at.get("p"))), v128.load(at.get("up")))),
        at.step("x", 16), at.step("up", 16), at.step("y", 16),
      ]),
    ],
  };

  /**
   * A row's attention over `count` cached rows, at byte offsets `keys` from k and v. Heads of `size` numbers; each of
   * the `groups` heads of keys and values serves `each` heads of queries. room: for the scores, a multiple of four.
   * @type {Fn}
   */
  const attend = {
    name: "attend",
    params: { ...all(["q", "keys", "count", "k", "v", "groups", "each", "size", "out", "room"], I32), scale: F32 },
    locals: {
      ...all(["queries", "i", "j", "key", "end", "wide", "score"], I32), max: F32, f: F32, sum: V128, w: V128,
      ...all(LANES.map((i) => `s${i}`), V128), ...EXPONENTIAL,
    },
    body: (at) => {
      const { get, set, step } = at;
      const none = LANES.map((i) => set(`s${i}`, f32x4.of(0)));
      const start = [set("key", get("keys")), set("score", get("room"))];
      const each = (/** @type {Code} */ body) => [
        start, loop(i32.less(get("key"), get("end")), [body, step("key", 4), step("score", 4)]),
      ];
      const row = (/** @type {string} */ base) => i32.add(i32.load(get("key")), get(base));
      const scores = each([
        none, set("i", i32.of(0)), set("j", row("k")),
        loop(i32.less(get("i"), get("wide")), [
          LANES.map((i) => set(`s${i}`, madd(
            v128.load(i32.add(get("q"), get("i")), VECTOR * i), v128.load(i32.add(get("j"), get("i")), VECTOR * i),
            get(`s${i}`)))),
          step("i", 4 * VECTOR),
        ]),
        set("s0", f32x4.add(f32x4.add(get("s0"), get("s1")), f32x4.add(get("s2"), get("s3")))),
        set("f", f32.mul(total(at, "s0"), get("scale"))), set("max", f32.max(get("max"), get("f"))),
        f32.store(get("score"), get("f")),
      ]);
      const shares = [
        LANES.map((i) => f32.store(get("score"), f32.of(-1e30), 4 * i)), // behind the last: no share
        set("j", get("room")), set("sum", f32x4.of(0)),
        loop(i32.less(get("j"), get("score")), [
          exponential(at, f32x4.sub(v128.load(get("j")), f32x4.splat(get("max")))),
          v128.store(get("j"), get("p")), set("sum", f32x4.add(get("sum"), get("p"))), step("j", VECTOR),
        ]),
        set("f", f32.div(f32.of(1), total(at, "sum"))),
      ];
      const mixed = [
        set("i", i32.of(0)),
        loop(i32.less(get("i"), get("wide")), [
          none,
          each([
            set("j", i32.add(row("v"), get("i"))), set("w", f32x4.spread(get("score"))),
            LANES.map((i) => set(`s${i}`, madd(get("w"), v128.load(get("j"), VECTOR * i), get(`s${i}`)))),
          ]),
          LANES.map((i) => v128.store(
            i32.add(get("out"), get("i")), f32x4.mul(get(`s${i}`), f32x4.splat(get("f"))), VECTOR * i)),
          step("i", 4 * VECTOR),
        ]),
      ];
      const next = (/** @type {string} */ name) => set(name, i32.add(get(name), get("wide")));
      return [
        set("wide", i32.shl(get("size"), i32.of(2))),
        set("end", i32.add(get("keys"), i32.shl(get("count"), i32.of(2)))),
        loop(get("groups"), [
          set("queries", get("each")),
          loop(get("queries"), [
            set("max", f32.of(-1e30)), scores, shares, mixed, next("q"), next("out"), step("queries", -1),
          ]),
          next("k"), next("v"), step("groups", -1),
        ]),
      ];
    },
  };

  return [norm, rotate, gated, attend];
}
