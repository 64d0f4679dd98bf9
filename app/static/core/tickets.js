// @ts-check
// What lies between a click on Run and the first event of the server: the queue. Every run has a ticket, which is
// the browser's name for it. Gradio's listeners call queued, stopped and refused; a page hears them as events.

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

/** Another method was chosen for the next run. @param {string} method */
export function chose(method) {
  document.dispatchEvent(new CustomEvent("ptp:chose", { detail: method }));
}

/** Stop was clicked. */
export function stopped() {
  document.dispatchEvent(new CustomEvent("ptp:stopped"));
}

/** The server refused the run: its queue is full, or it failed. */
export function refused() {
  document.dispatchEvent(new CustomEvent("ptp:refused"));
}
