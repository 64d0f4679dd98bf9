// @ts-check
// A visitor's run: one at a time on a page, under a ticket that is the browser's. Whatever comes with another
// ticket is of a run that was stopped.

import { again, ended, underWay } from "./tab.js";
import { ticket } from "./tickets.js";

export const WAITING = "Waiting for the model. Runs of all visitors take turns …";
export const REFUSED = "The server did not run this. Its message says why.";
export const UNREACHABLE = "The server cannot be reached: the network is gone, or the server was stopped. "
  + "This page comes back by itself once the server answers.";
export const RESTARTED = "The server was started anew, so this run has ended. Run it again.";
export const NO_ANSWER = "The server did not answer.";

/** @typedef {{ ticket: string | null, busy: boolean }} RunState */
/** @typedef {(request: any) => Promise<any>} ServerFunction */
/** @typedef {Record<string, ServerFunction>} Server */

/**
 * What a server function answers; {error} where none comes.
 * @param {Server} server
 * @param {string} name
 * @param {object} request
 * @param {string} [lost] what to say then
 */
export async function ask(server, name, request, lost = NO_ANSWER) {
  return (await server[name](request).catch(() => null)) || { error: lost };
}

export class Run {
  /**
   * @param {RunState} state of the page; this run keeps its ticket there, and whether it is under way
   * @param {Server} server
   * @param {(on: boolean) => void} show shows whether the page is busy
   */
  constructor(state, server, show) {
    this.state = state;
    this.server = server;
    this.show = show;
    this.heard = false; // something of this run has come
    this.patience = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.clock = undefined;
    /** @type {(text: string) => void} */
    this.waiting = () => {};
    /** @type {(text: string) => void} */
    this.lost = () => {};
  }

  /** @param {boolean} on */
  busy(on) {
    this.state.busy = on;
    this.show(on);
  }

  /** Begins a run in place of the one before. @param {string} [name] its ticket */
  begin(name = ticket()) {
    this.halt();
    this.state.ticket = name;
    Object.assign(this, { heard: false, patience: 0 });
    this.clock = setInterval(() => this.inquire(name), EVERY);
    underWay(null);
    this.busy(true);
    return name;
  }

  /** The run came to its end. */
  end() {
    clearInterval(this.clock);
    ended();
    this.state.ticket = null;
    this.busy(false);
  }

  /** Stops the run, also where it still waits for its turn. */
  halt() {
    if (this.state.ticket) ask(this.server, "stop_run", { ticket: this.state.ticket });
    this.end();
  }

  /** Whether an event is of a run that was stopped. @param {{ ticket?: string }} event */
  isOver(event) {
    if (event.ticket && event.ticket === this.state.ticket) this.heard = true;
    return Boolean(event.ticket) && event.ticket !== this.state.ticket;
  }

  /**
   * Asks where the run stands: its place in the line, or whether the server still knows it.
   * @param {string} name
   */
  async inquire(name) {
    if (!this.server.wait_place) return;
    const found = await ask(this.server, "wait_place", { ticket: name });
    if (this.state.ticket !== name) return;
    const fine = !found.error && (found.running || !this.heard);
    this.patience = fine ? 0 : this.patience + 1; // an answer may be on its way
    if (this.patience >= PATIENCE && found.error) this.leave();
    else if (this.patience >= PATIENCE) this.lost(RESTARTED);
    else if (fine && !found.running) this.waiting(inLine(found));
  }

  /**
   * The server is gone. Once it answers, the page is loaded anew, with what it ran. Gradio does so by itself where a
   * stream broke; the second answer is waited for, so that nothing is loaded twice.
   */
  leave() {
    const was = ended();
    let answers = 0;
    this.lost(UNREACHABLE);
    again(was);
    this.clock = setInterval(async () => {
      const found = await ask(this.server, "wait_place", { ticket: "" });
      answers += found.error ? 0 : 1;
      if (answers > 1 && !this.state.ticket) window.location.reload();
    }, EVERY);
  }

  /**
   * What a page does on Run, on Stop, and where the server takes no run; the last two only while a run is under way.
   * waiting and lost get a sentence: where the run stands in the line, and that it is lost.
   * @param {{ queued: (ticket: string) => void, stopped?: () => void, refused: () => void,
   *           waiting?: (text: string) => void, lost?: (text: string) => void }} listeners
   */
  listen({ queued, stopped, refused, waiting, lost }) {
    Object.assign(this, waiting && { waiting }, lost && { lost });
    document.addEventListener("ptp:queued", (event) => queued(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("ptp:refused", () => { if (this.state.busy) refused(); });
    document.addEventListener("ptp:stopped", () => { if (this.state.busy && stopped) stopped(); });
  }
}

const EVERY = 2000; // ms
const PATIENCE = 3;

/** The place in the line in words. @param {{ place: number, seconds: number | null, timed: boolean }} found */
export function inLine({ place, seconds, timed }) {
  const about = timed ? "about" : "at most about";
  const time = seconds === null ? "" : `, ${about} ${Math.max(1, Math.round(seconds))} s`;
  return place < 2 ? `Waiting for the model: yours is the next run${time} …`
    : `Waiting for the model: ${place - 1} ${place === 2 ? "run is" : "runs are"} before yours${time} …`;
}

/**
 * Marks the line with Run and Stop. Gradio scopes css to its container, so this is a class of the row, not of body.
 * @param {boolean} on
 */
export const markAsk = (on) => document.querySelector("#ptp-ask")?.classList.toggle("is-busy", on);

/**
 * Takes the focus off the Run button, where a key would run again.
 * @param {HTMLElement} root what gets it
 */
export function leaveRun(root) {
  if (document.activeElement?.closest("#ptp-run")) root.focus({ preventScroll: true });
}

/** Presses Run, once the inputs hold what the link says. */
export const pressRun = () =>
  setTimeout(() => /** @type {HTMLElement | null} */ (document.querySelector("#ptp-run"))?.click(), 50);

/**
 * Hears the component's value: an event as a JSON string, now and whenever it changes.
 * @param {{ value: string }} props
 * @param {(name: string, call: () => void) => void} watch
 * @param {(event: any) => void} receive
 */
export function hear(props, watch, receive) {
  const heard = () => { if (props.value) receive(JSON.parse(props.value)); };
  watch("value", heard);
  heard();
}
