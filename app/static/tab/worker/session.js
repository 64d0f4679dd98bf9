// @ts-check
// Decoding in the browser, as ptp_core/decoding does it: one call verifies drafts and prepares the next ones.

import { allocate, calibrated, gains, outcomes } from "./branches.js";
import { candidates, columnOf, slice } from "./sampling.js";
import { Slots, UNTOLD } from "./slots.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./noise.js").Tape} Tape */
/** @typedef {import("./sampling.js").Sampling} Sampling */
/** @typedef {{ token: number, prob: number }} Draft */
/**
 * @typedef {{ position: number, token: number, source: string, u: number, left: number, right: number,
 *   margin: number | null, candidates: { token: number, prob: number, left: number }[] }} Emitted
 * @typedef {{ drafts: (Draft & { status: string })[], accepted: number, emitted: Emitted[], lengths: number[],
 *   rows: number, ms: number }} Step one call
 * @typedef {{ adapter?: string, budget?: number, chained?: boolean, maxNew: number, most?: number }} Settings adapter:
 *   whose slots draft, none for one token per call; most: drafts per call
 */

const DEFAULT_RUN = [0.4, 0.2, 0.1, 0.05];
const FLOAT = 4;
const range = (/** @type {number} */ from, /** @type {number} */ to) =>
  Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);

/** The rows of the cache that hold a text, for the next run whose text begins alike. */
export class Cache {
  constructor() {
    /** @type {number[]} */
    this.tokens = [];
  }

  /** How many first rows hold these tokens already; at least one token is left to run. @param {number[]} tokens */
  keep(tokens) {
    let same = 0;
    while (same < this.tokens.length && same < tokens.length - 1 && this.tokens[same] === tokens[same]) same++;
    this.tokens.length = same;
    return same;
  }

  /** Runs a text but for its last token: runs behind it begin alike. @param {Network} net @param {number[]} text */
  fill(net, text) {
    const first = this.keep(text), positions = range(first, text.length - 1);
    const seen = positions.map((p) => range(0, p + 1));
    if (positions.length) net.run(text.slice(first, -1), [], { positions, seen, first });
    this.tokens = text.slice(0, -1);
  }
}

export class Session {
  /**
   * @param {Network} network
   * @param {Cache} cache
   * @param {number[]} prompt
   * @param {number[]} written tokens of the answer that stand already
   * @param {Tape} tape
   * @param {Sampling} sampling
   * @param {Set<number>} eos
   * @param {Settings} settings
   */
  constructor(network, cache, prompt, written, tape, sampling, eos, settings) {
    const { context } = network.model;
    if (!prompt.length || prompt.length >= context) throw new Error(`A prompt has 1 to ${context - 1} tokens.`);
    this.network = network;
    this.cache = cache;
    this.tape = tape;
    this.sampling = sampling;
    this.eos = eos;
    this.tokens = [...prompt, ...written];
    this.numPrompt = prompt.length;
    this.limit = Math.min(settings.maxNew, context - prompt.length);
    this.pending = this.tokens.slice(cache.keep(this.tokens));
    this.ended = written.some((token) => eos.has(token));
    /** @type {Draft[]} */
    this.drafts = [];
    this.slots = settings.adapter ? new Slots(network, settings.adapter) : null;
    if (this.slots) this.prepare(this.slots.config, settings);
  }

  /** What drafting needs to know. @param {any} config of the adapter @param {Settings} settings */
  prepare(config, settings) {
    this.chained = config.chain > 0 && settings.chained !== false;
    const figures = this.chained ? config.chained : config.alone;
    this.weights = figures.confidence;
    this.most = settings.most ?? Math.max(config.window - config.settled, 1);
    this.budget = settings.budget ?? config.window;
    const run = figures.run.length ? figures.run : DEFAULT_RUN, longest = this.most + config.settled;
    this.gain = gains(run, config.settled, longest);
    this.gainRejected = gains(figures.run_rejected.length ? figures.run_rejected : run, config.settled, longest);
  }

  get written() {
    return this.tokens.length - this.numPrompt;
  }

  get done() {
    return this.ended || this.written >= this.limit;
  }

  /** How many slots prepare for each outcome of checking the drafts. @returns {number[]} */
  plan() {
    if (!this.slots) return [];
    const count = this.drafts.length, { settled } = this.slots.config, left = this.limit - this.written;
    const limits = range(0, count + 1).map((m) => {
      const useful = Math.min(this.most ?? 0, left - m - 2);
      return useful > 0 ? useful + settled : 0;
    });
    const gain = [...this.drafts.map(() => this.gainRejected ?? []), this.gain ?? []];
    return allocate(outcomes(this.drafts.map(({ prob }) => prob)), gain, this.budget ?? 0, limits);
  }

  /** One call: checks the drafts, writes what is right, prepares the next drafts. @returns {Step} */
  call() {
    const start = performance.now(), lengths = this.plan();
    const { drafts, pending, network } = this, { hidden, vocab } = network.model, first = this.written;
    const spec = lengths.map((length, assumed) => ({ assumed, length })).filter(({ length }) => length > 0);
    const context = this.tokens.length - pending.length, real = pending.length + drafts.length;
    const ends = [pending[pending.length - 1], ...drafts.map(({ token }) => token)];
    const rows = spec.length ? this.slotRows(spec, ends, first) : [];
    const tokens = [...pending, ...drafts.map(({ token }) => token)];
    network.run(tokens, rows, this.layout(context, spec), this.slots ? this.slots.adapter : "");
    const place = network.at.h / FLOAT, settling = place + (real - drafts.length - 1) * hidden;
    const state = (/** @type {number} */ i) => network.floats.slice(place + i * hidden, place + (i + 1) * hidden);
    const branches = this.branchStates(spec, real, state);
    const states = range(real - drafts.length - 1, real).map(state);
    const logits = network.logits(settling, drafts.length + 1);
    const picked = range(0, drafts.length + 1).map((i) => {
      const from = i * network.logitsWidth;
      return this.pick(logits.subarray(from, from + vocab), first + i);
    });
    let accepted = 0;
    while (accepted < drafts.length && drafts[accepted].token === picked[accepted].token) accepted++;
    const right = picked.slice(0, accepted + 1), end = right.findIndex(({ token }) => this.eos.has(token));
    const emitted = end < 0 ? right : right.slice(0, end + 1);
    emitted.forEach((found, i) => {
      found.source = i < accepted ? "accepted" : accepted < drafts.length ? "recovered" : "bonus";
    });
    this.ended = end >= 0;
    this.cache.tokens = [...this.tokens, ...drafts.slice(0, accepted).map(({ token }) => token)];
    this.tokens.push(...emitted.map(({ token }) => token));
    this.pending = this.tokens.slice(-1);
    const kept = this.done ? -1 : spec.findIndex(({ assumed }) => assumed === accepted);
    this.drafts = kept < 0 ? [] : this.read(branches[kept], ends[accepted], picked[accepted].token, states[accepted]);
    const statuses = (/** @type {number} */ i) =>
      i < accepted ? "accepted" : i === accepted ? "rejected" : "discarded";
    return {
      drafts: drafts.map((draft, i) => ({ ...draft, status: statuses(i) })), accepted, emitted, lengths,
      rows: real + rows.length, ms: performance.now() - start,
    };
  }

  /** @param {{ assumed: number, length: number }[]} spec @param {number[]} ends @param {number} first */
  slotRows(spec, ends, first) {
    const slots = /** @type {Slots} */ (this.slots), { hidden } = this.network.model;
    const u = spec.flatMap(({ assumed, length }) => range(0, length).map((i) =>
      slots.config.reads_u ? this.tape.at(first + assumed + i) : UNTOLD));
    const rows = slots.embed(u, this.sampling.temperature);
    if (!slots.config.anchor) return rows;
    const anchor = new Float32Array(hidden);
    let from = 0;
    for (const { assumed, length } of spec) {
      this.network.embed(ends[assumed], anchor);
      rows[from] = rows[from].map((value, i) => value + anchor[i]);
      from += length;
    }
    return rows;
  }

  /** Positions and what each row sees. @param {number} context @param {{ assumed: number, length: number }[]} spec */
  layout(context, spec) {
    const real = this.pending.length + this.drafts.length;
    const { lead, shift } = this.slots?.config ?? { lead: 0, shift: -1 };
    const positions = range(context, context + real), seen = positions.map((p) => range(0, p + 1));
    let from = context + real;
    for (const { assumed, length } of spec) {
      const before = context + this.pending.length + assumed;
      for (let i = 0; i < length; i++) {
        positions.push(before + lead + shift + i);
        seen.push([...range(0, before), ...range(from, from + i + 1)]);
      }
      from += length;
    }
    return { positions, seen, first: context };
  }

  /** @param {{ length: number }[]} spec @param {number} from @param {(i: number) => Float32Array} state */
  branchStates(spec, from, state) {
    return spec.map(({ length }) => range(0, length).map(() => state(from++)));
  }

  /**
   * The drafts in the states of the branch that came true, without its placeholders.
   * @param {Float32Array[]} branch @param {number} front @param {number} settled @param {Float32Array} settling
   */
  read(branch, front, settled, settling) {
    const slots = /** @type {Slots} */ (this.slots), states = branch.slice(slots.config.settled);
    if (!states.length) return [];
    const found = this.chained ? slots.chain(states, [front, settled], settling) : slots.guesses(states);
    const end = found.findIndex(({ token }) => this.eos.has(token));
    const whole = end < 0 ? found : found.slice(0, end + 1);
    return whole.map(({ token, prob }) => ({ token, prob: calibrated(prob, this.weights ?? null) }));
  }

  /** The token that u picks at a position. @param {Float32Array} logits @param {number} position @returns {Emitted} */
  pick(logits, position) {
    const found = candidates(logits, this.sampling), u = this.tape.at(position), column = columnOf(found, u);
    const listed = found.tokens.map((token, i) => ({
      token, prob: found.probs[i], left: i ? found.right[i - 1] : 0,
    }));
    return { position, token: found.tokens[column], source: "", u, candidates: listed, ...slice(found, column, u) };
  }
}
