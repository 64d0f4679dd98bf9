// @ts-check
// The page's side of the worker: loads the model, and sends the newest wish once the last one has shown something.

/** @typedef {import("./lanes.js").Lane} Lane */
/** @typedef {import("./square.js").Drawn} Drawn */
/**
 * @typedef {{ prompt: string, seed: number, edits: Record<number, number>, maxNew: number, budget: number,
 *   chained: boolean, adapter: string, temperature: number }} Wish what to write
 * @typedef {{ first: (token: string, ms: number) => void, lane: (lane: Lane, ms: number) => void,
 *   written: () => void, square: (found: Drawn) => void, failed: (says: string) => void }} Listener
 * @typedef {{ wish: Wish, since: number }} Waiting
 */

/**
 * The bytes at an address, with progress.
 * @param {string} address
 * @param {number} expected
 * @param {(share: number) => void} progress
 */
async function download(address, expected, progress) {
  const answer = await fetch(address);
  if (!answer.ok || !answer.body) throw new Error("The model did not come. Reload the page.");
  const reader = answer.body.getReader(), whole = new Uint8Array(expected);
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > expected) throw new Error("The model came with another size. Reload the page.");
    whole.set(value, at);
    at += value.length;
    progress(at / expected);
  }
  if (at !== expected) throw new Error("The model did not come whole. Reload the page.");
  return whole.buffer;
}

export class Client {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    this.worker = new Worker(new URL("./worker/index.js", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.heard(data));
    this.worker.addEventListener("error", () => listener.failed("The model's worker did not start. Reload the page."));
    this.id = 0;
    this.since = 0;
    /** the request whose first lane is not here yet */
    this.busy = 0;
    /** @type {Waiting | null} */
    this.waiting = null;
    /** @type {(found: { fused: boolean }) => void} */
    this.loaded = () => {};
  }

  /**
   * Brings the model into the worker; its head.
   * @param {string} head @param {string} weights addresses @param {(share: number) => void} progress
   */
  async load(head, weights, progress) {
    const answer = await fetch(head);
    if (!answer.ok) throw new Error("The model did not come. Reload the page.");
    const found = await answer.json(), bytes = await download(weights, found.bytes, progress);
    const ready = new Promise((resolve) => { this.loaded = resolve; });
    this.worker.postMessage({ id: ++this.id, ask: "load", head: found, weights: bytes }, [bytes]);
    await ready;
    return found;
  }

  /** Writes this next; what waits is replaced. @param {Wish} wish */
  write(wish) {
    this.waiting = { wish, since: performance.now() };
    if (!this.busy) this.next();
  }

  next() {
    if (!this.waiting) return;
    const { wish, since } = this.waiting;
    this.waiting = null;
    this.since = since;
    this.busy = ++this.id;
    this.worker.postMessage({ ...wish, id: this.busy, ask: "write" });
  }

  /** The unit square behind a prompt and some tokens of its answer. @param {Wish} wish @param {number[]} written */
  square(wish, written) {
    this.worker.postMessage({ ...wish, written, id: ++this.id, ask: "square" });
  }

  /** @param {any} data */
  heard(data) {
    const { listener } = this, ms = performance.now() - this.since;
    if (data.ask === "loaded") this.loaded(data);
    else if (data.ask === "first") listener.first(data.token, ms);
    else if (data.ask === "square") listener.square(data);
    else if (data.ask === "lane") {
      listener.lane(data, ms);
      if (data.id === this.busy) this.free();
    } else if (data.ask === "written") {
      if (!this.busy) listener.written();
    } else if (data.ask === "failed") {
      listener.failed(data.says);
      this.free();
    } else if (data.ask === "dropped" && data.id === this.busy) this.free();
  }

  free() {
    this.busy = 0;
    this.next();
  }
}
