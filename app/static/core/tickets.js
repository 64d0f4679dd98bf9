// @ts-check
// What lies between a click on Run and the first event of the server: the queue. Every run has a ticket, which is
// the browser's name for it. Gradio's listeners call queued, asked, stopped and refused; a page hears them as events.

import { EXAMPLES } from "./shared.js";
import { queryOf, underWay } from "./tab.js";

const UNCHANGED = { __type__: "update" }; // as Gradio writes it

/** A new ticket. @returns {string} */
export function ticket() {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join("");
}

/**
 * Run was clicked: tells the page, and puts the run's ticket in place of the listener's first input.
 * @param {unknown} _ the empty field for the ticket
 * @param {...unknown} inputs
 */
export function queued(_, ...inputs) {
  const name = ticket();
  document.dispatchEvent(new CustomEvent("ptp:queued", { detail: name }));
  return [name, ...inputs];
}

/**
 * As `queued`, for the line on which a visitor asks: if the page is loaded anew in the middle, the run is asked again.
 * @param {unknown} _
 * @param {...unknown} inputs the visitor's model, and the line's values
 */
export function asked(_, ...inputs) {
  const sent = queued(_, ...inputs);
  underWay(queryOf(inputs.slice(1)));
  return sent;
}

/** Another method was chosen for the next run. @param {string} method */
export function chose(method) {
  document.dispatchEvent(new CustomEvent("ptp:chose", { detail: method }));
}

/**
 * Another model was chosen: its first example in place of another model's; a prompt of the visitor's own stays.
 * The field is read, too: Gradio hands over what stood there a moment ago, and shows what comes a moment later.
 * @param {string} model
 * @param {string} prompt
 */
export function promptFor(model, prompt) {
  const field = /** @type {HTMLTextAreaElement | null} */ (document.querySelector("#ptp-prompt textarea"));
  const others = Object.keys(EXAMPLES).filter((other) => other !== model).flatMap((other) => EXAMPLES[other]);
  const foreign = [prompt, field?.value].every((text) => text !== undefined && others.includes(text));
  return foreign && EXAMPLES[model].length ? EXAMPLES[model][0] : UNCHANGED;
}

/** Stop was clicked. */
export function stopped() {
  document.dispatchEvent(new CustomEvent("ptp:stopped"));
}

/** The server refused the run: its queue is full, or it failed. */
export function refused() {
  document.dispatchEvent(new CustomEvent("ptp:refused"));
}
