// @ts-check
// A small assembler for WebAssembly: functions written as nested expressions become the bytes of a module.
//
// An expression is a list of numbers, in lists of any depth. The numbers are those of the WebAssembly specification,
// version 2, chapter "Instructions". There is no build step and no binary file: the browser assembles while it loads.

/** @typedef {number | any[]} Code numbers, in lists of any depth */
/** @typedef {Record<string, number>} Types of named values */
/** @typedef {{ name: string, params: Types, locals: Types, body: (at: At) => Code }} Fn */
/** @typedef {{ get: (name: string) => Code, set: (name: string, value: Code) => Code }} Variables */
/** @typedef {Variables & { step: (name: string, by: number) => Code, call: (name: string) => Code }} At */

export const I32 = 0x7f, F32 = 0x7d, V128 = 0x7b;
const PAGE = 65536;

/** @param {number} value @returns {number[]} LEB128 of a number from 0 on */
export function unsigned(value) {
  const low = value & 0x7f, rest = value >>> 7;
  return rest ? [low | 0x80, ...unsigned(rest)] : [low];
}

/** @param {number} value @returns {number[]} LEB128 of a 32-bit number with a sign */
function signed(value) {
  const low = value & 0x7f, rest = value >> 7;
  const ends = (rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40);
  return ends ? [low] : [low | 0x80, ...signed(rest)];
}

/** @param {number} value @returns {number[]} */
const bytesOf = (value) => [...new Uint8Array(new Float32Array([value]).buffer)];

/** @param {number} op @returns {(...operands: Code[]) => Code} */
const plain = (op) => (...operands) => [...operands, op];
/** @param {number} op @returns {(...operands: Code[]) => Code} */
const wide = (op) => (...operands) => [...operands, 0xfd, unsigned(op)];
/** @param {Code} op @param {number} align @returns {(address: Code, offset?: number) => Code} */
const loads = (op, align) => (address, offset = 0) => [address, op, align, unsigned(offset)];
/** @param {Code} op @param {number} align @returns {(address: Code, value: Code, offset?: number) => Code} */
const stores = (op, align) => (address, value, offset = 0) => [address, value, op, align, unsigned(offset)];

export const i32 = {
  of: (/** @type {number} */ value) => /** @type {Code} */ ([0x41, signed(value)]),
  add: plain(0x6a), sub: plain(0x6b), mul: plain(0x6c), shl: plain(0x74), less: plain(0x48), zero: plain(0x45),
  load: loads(0x28, 2),
};
export const f32 = {
  of: (/** @type {number} */ value) => /** @type {Code} */ ([0x43, bytesOf(value)]),
  add: plain(0x92), sub: plain(0x93), mul: plain(0x94), div: plain(0x95), sqrt: plain(0x91), max: plain(0x97),
  fromInt: plain(0xb2), load: loads(0x2a, 2), store: stores(0x38, 2),
};
export const v128 = { load: loads([0xfd, 0x00], 2), store: stores([0xfd, 0x0b], 2) };
export const f32x4 = {
  splat: wide(0x13), spread: loads([0xfd, 0x09], 2), // spread: one float from memory into all four lanes
  of: (/** @type {number} */ value) => /** @type {Code} */ ([[0x43, bytesOf(value)], 0xfd, 0x13]),
  add: wide(0xe4), sub: wide(0xe5), mul: wide(0xe6), div: wide(0xe7), min: wide(0xe8), max: wide(0xe9),
  neg: wide(0xe1), nearest: wide(0x6a), fromInt: wide(0xfa),
  lane: (/** @type {Code} */ value, /** @type {number} */ i) => /** @type {Code} */ ([value, 0xfd, 0x1f, i]),
};
export const i16x8 = { load8: loads([0xfd, 0x01], 0) }; // eight bytes with their signs
export const i32x4 = {
  low: wide(0xa7), high: wide(0xa8), fromFloat: wide(0xf8), add: wide(0xae), shl: wide(0xab), splat: wide(0x11),
};
/** a * b + c, rounded once. Not every browser has it. @type {(a: Code, b: Code, c: Code) => Code} */
export const fused = (a, b, c) => [a, b, c, 0xfd, unsigned(0x105)];

/** Runs the body while the condition holds. @param {Code} condition @param {Code} body @returns {Code} */
export const loop = (condition, body) =>
  [0x02, 0x40, 0x03, 0x40, i32.zero(condition), 0x0d, 1, body, 0x0c, 0, 0x0b, 0x0b];
/** @param {Code} condition @param {Code} then @param {Code} [other] @returns {Code} */
export const when = (condition, then, other) => [condition, 0x04, 0x40, then, other ? [0x05, other] : [], 0x0b];

/** @param {number} id @param {Code[]} items @returns {Code} a section with a list of items */
const section = (id, items) => {
  const content = /** @type {number[]} */ ([unsigned(items.length), items].flat(Infinity));
  return [id, unsigned(content.length), content];
};
/** @param {string} text @returns {Code} */
const named = (text) => [text.length, [...text].map((letter) => letter.charCodeAt(0))];

/** @param {Fn} fn @param {string[]} names of all functions @returns {Code} */
function bodyOf(fn, names) {
  const variables = [...Object.keys(fn.params), ...Object.keys(fn.locals)];
  const place = (/** @type {string} */ name) => {
    const index = variables.indexOf(name);
    if (index < 0) throw new Error(`${fn.name} has no variable ${name}`);
    return unsigned(index);
  };
  const get = (/** @type {string} */ name) => /** @type {Code} */ ([0x20, place(name)]);
  /** @type {At["set"]} */
  const set = (name, value) => [value, 0x21, place(name)];
  const step = (/** @type {string} */ name, /** @type {number} */ by) => set(name, i32.add(get(name), i32.of(by)));
  const call = (/** @type {string} */ name) => /** @type {Code} */ ([0x10, unsigned(names.indexOf(name))]);
  const locals = Object.values(fn.locals).map((type) => [1, type]);
  const code = [unsigned(locals.length), locals, fn.body({ get, set, step, call }), 0x0b];
  const flat = /** @type {number[]} */ (code.flat(Infinity));
  return [unsigned(flat.length), flat];
}

/**
 * The bytes of a module that imports a memory, lab.memory, and exports all functions. None returns a value.
 * @param {Fn[]} functions
 */
export function assemble(functions) {
  const types = functions.map((fn) => {
    const params = Object.values(fn.params);
    return [0x60, unsigned(params.length), params, 0];
  });
  const names = functions.map((fn) => fn.name);
  const code = [
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, types),
    section(2, [[named("lab"), named("memory"), 0x02, 0x00, 1]]),
    section(3, names.map((_, i) => unsigned(i))),
    section(7, names.map((name, i) => [named(name), 0x00, unsigned(i)])),
    section(10, functions.map((fn) => bodyOf(fn, names))),
  ];
  return new Uint8Array(/** @type {number[]} */ (code.flat(Infinity)));
}

/** @typedef {Record<string, (...args: number[]) => void>} Exports */

/**
 * The functions of a module over a memory.
 * @param {Uint8Array} bytes
 * @param {WebAssembly.Memory} memory
 */
export function instantiate(bytes, memory) {
  const module = new WebAssembly.Module(/** @type {BufferSource} */ (bytes));
  const { exports } = new WebAssembly.Instance(module, { lab: { memory } });
  return /** @type {Exports} */ (/** @type {unknown} */ (exports));
}

/** A memory for so many bytes. @param {number} bytes */
export const memoryFor = (bytes) => new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
