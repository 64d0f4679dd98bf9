// @ts-check
// Presentation mode: a page's view fills the screen, in large letters; Escape or its button leaves.

import { button, find } from "./dom.js";

/** @param {HTMLElement} root */
export const isPresenting = (root) => root.classList.contains("is-presenting");

/** The button that leaves; a page puts it into its view. */
export const leaveButton = () => button("leave", "× Leave", "Leave the presentation (Esc)");

/**
 * Begins or ends the presentation.
 * @param {HTMLElement} root
 * @param {boolean} [on] left out: the other way round
 */
export function present(root, on = !isPresenting(root)) {
  root.classList.toggle("is-presenting", on);
  let node = root;
  while (node !== document.body && node.parentElement) { // what is covered takes no part
    for (const other of node.parentElement.children) if (other !== node) /** @type {HTMLElement} */ (other).inert = on;
    node = node.parentElement;
  }
  document.body.style.overflow = on ? "hidden" : "";
  if (!root.hasAttribute("tabindex")) root.tabIndex = -1;
  (on ? root : find(root, '[data-do="present"]'))?.focus();
}

/** Escape leaves, wherever the focus is. @param {HTMLElement} root */
export function leaveOnEscape(root) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && isPresenting(root)) present(root, false);
  });
}
