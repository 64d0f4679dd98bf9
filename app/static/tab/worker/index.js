// @ts-check
// The worker of the tab: it holds the model and answers the page's messages, one after the other.
//
// A message is { id, ask, ... }; answers carry its id. A newer request drops an older one of its kind, between two
// calls of the model. So the page never waits for a text that nobody wants any more.

import { canRun } from "./kernels.js";
import { Network } from "./network.js";
import { Tape } from "./noise.js";
import { Cache, Session } from "./session.js";
import { unitSquare } from "./square.js";
import { Vocabulary } from "./vocabulary.js";

/** @typedef {import("./session.js").Step} Step */
/**
 * @typedef {{ id: number, ask: "write", prompt: string, seed: number | string, edits: Record<number, number>,
 *   maxNew: number, budget: number, chained: boolean, adapter: string, temperature: number }} Write
 * @typedef {{ id: number, ask: "square", written: number[] } & Omit<Write, "ask">} Ask for the square behind the prompt
 *   and these tokens
 * @typedef {{ id: number, ask: "load", head: any, weights: ArrayBuffer }} Load
 */

/** @type {{ network: Network, words: Vocabulary } | null} */
let model = null;
const cache = new Cache();
/** the newest request of each kind @type {Record<string, number>} */
const newest = {};

/** @param {any} answer */
const send = (answer) => postMessage(answer);

const { port1, port2 } = new MessageChannel();
/** Lets messages in that wait. @returns {Promise<void>} */
const turn = () => new Promise((resolve) => {
  port1.onmessage = () => resolve();
  port2.postMessage(null);
});

/** @param {{ temperature: number }} asked @param {string} order */
const samplingOf = ({ temperature }, order) => ({ temperature, topK: 50, topP: 0.95, order });

const orderOf = () => {
  const [adapter] = Object.values(model ? model.network.head.adapters : {});
  return adapter ? adapter.order : "token_id";
};

const CUT = 64; // a text that is too long loses so many tokens at once, so most keys find its beginning unchanged

/** The last tokens, at most `room` of them. @param {number[]} ids @param {number} room */
const fitting = (ids, room) => ids.slice(Math.ceil(Math.max(ids.length - room, 0) / CUT) * CUT);

/** @param {string} prompt @param {number} maxNew */
function promptOf(prompt, maxNew) {
  const { network, words } = /** @type {NonNullable<typeof model>} */ (model);
  const ids = words.encode(prompt);
  return fitting(ids.length ? ids : [...words.eos].slice(0, 1), network.model.context - maxNew);
}

/** Writes both lanes: one token per call, then by slots. @param {Write} asked */
async function write(asked) {
  const { network, words } = /** @type {NonNullable<typeof model>} */ (model), { id, maxNew, budget, chained } = asked;
  const ids = promptOf(asked.prompt, maxNew), tape = new Tape(asked.seed, asked.edits);
  const lanes = { ar: {}, ptp: { adapter: asked.adapter, budget, chained } };
  const sampling = samplingOf(asked, orderOf());
  cache.fill(network, ids);
  for (const [lane, settings] of Object.entries(lanes)) {
    if (lane === "ptp" && !(asked.adapter in network.head.adapters)) continue;
    const run = new Session(network, cache, ids, [], tape, sampling, words.eos, { maxNew, ...settings });
    /** @type {Step[]} */
    const steps = [];
    while (!run.done) {
      steps.push(run.call());
      if (steps.length === 1 && lane === "ar") send({ id, ask: "first", token: words.label(run.tokens[ids.length]) });
      await turn();
      if (newest.write !== id) return send({ id, ask: "dropped" });
    }
    const written = run.tokens.slice(ids.length);
    const texts = words.texts(written);
    send({ id, ask: "lane", lane, steps: shown(steps), tokens: written, texts, prompt: ids.length });
  }
  return send({ id, ask: "written" });
}

/** Steps with the labels of all tokens that they name. @param {Step[]} steps */
function shown(steps) {
  const { words } = /** @type {NonNullable<typeof model>} */ (model);
  return steps.map((step) => ({
    ...step,
    drafts: step.drafts.map((draft) => ({ ...draft, label: words.label(draft.token) })),
    emitted: step.emitted.map((token) => ({
      ...token, label: words.label(token.token),
      candidates: token.candidates.map((one) => ({ ...one, label: words.label(one.token) })),
    })),
  }));
}

/** @param {Ask} asked */
function square(asked) {
  const { network, words } = /** @type {NonNullable<typeof model>} */ (model), start = performance.now();
  const text = [...promptOf(asked.prompt, asked.maxNew), ...asked.written];
  const { target, grid, drafts } = unitSquare(network, cache, text, samplingOf(asked, orderOf()), asked.chained);
  const tokens = new Set(target.flatMap((column) => [column.token, ...column.cells.map((cell) => cell.token)]));
  Object.values(drafts).forEach((draft) => draft.tokens.flat().forEach((token) => tokens.add(token)));
  const labels = Object.fromEntries([...tokens].map((token) => [token, words.label(token)]));
  send({ id: asked.id, ask: "square", target, grid, drafts, labels, ms: performance.now() - start });
}

/** @param {Load} asked */
function load({ id, head, weights }) {
  if (!canRun()) throw new Error("This browser lacks WebAssembly's vectors (SIMD), which the model needs.");
  model = { network: new Network(head, weights), words: new Vocabulary(head.vocabulary) };
  send({ id, ask: "loaded", fused: model.network.isFused });
}

/** @type {Record<string, (asked: any) => unknown>} */
const answers = { load, write, square };

/** @param {{ id: number, ask: string }} asked */
async function answer(asked) {
  if (newest[asked.ask] !== asked.id) return send({ id: asked.id, ask: "dropped" });
  try {
    return await answers[asked.ask](asked);
  } catch (error) {
    return send({ id: asked.id, ask: "failed", says: error instanceof Error ? error.message : String(error) });
  }
}

/** @type {Promise<unknown>} */
let last = Promise.resolve(); // one at a time: all share one cache
addEventListener("message", ({ data }) => {
  newest[data.ask] = data.id;
  last = last.then(() => answer(data));
});
