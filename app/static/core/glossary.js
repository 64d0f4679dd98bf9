// @ts-check
// Dotted words and their cards: tap, Enter or hover opens one, Escape or a tap elsewhere closes it. One card at a time.
// A card follows its word when the page scrolls, and closes where its word leaves the screen.
// Any page may use them: a <button data-term="slot">, here or in a page's HTML, and the entries of docs/glossary.md.

import { linkPages } from "./address.js";
import { el } from "./dom.js";

/** @typedef {{name: string, also: string[], text: string}} Entry */

/** @type {Map<string, Entry>} */ const entries = new Map();
/** @type {HTMLElement | null} */ let card = null;
/** @type {HTMLElement | null} */ let owner = null;
let watching = false;

/** Takes the glossary's entries and begins to listen. @param {Entry[]} list */
export function define(list) {
  for (const entry of list) for (const name of [entry.name, ...entry.also]) entries.set(name.toLowerCase(), entry);
  if (!watching) {
    watch();
    const early = /** @type {any} */ (window).ptpEarly; // tapped before this module was there (app/modules.py)
    if (early?.isConnected) open(early, true);
  }
  watching = true;
  document.documentElement.dataset.glossary = "ready"; // from now on a tap opens a card
}

/** A dotted word. @param {string} name @param {string} shown @returns {HTMLElement} */
export function term(name, shown) {
  return el("button", {
    type: "button",
    class: "ptp-term",
    "data-term": name,
    text: shown,
    "aria-expanded": "false",
  });
}

/** The dotted word that an event happened in. @param {Event} event @returns {HTMLElement | null} */
const termOf = (event) => /** @type {Element} */ (event.target).closest?.("[data-term]") ?? null;

/** One listener for all words, those that come later too. */
function watch() {
  document.addEventListener("click", (event) => {
    const node = termOf(event);
    if (node && owner === node && card?.dataset.pinned) close();
    else if (node) open(node, true);
    else if (card && !card.contains(/** @type {Node} */ (event.target))) close();
  });
  document.addEventListener("pointerover", (event) => {
    const node = event.pointerType === "mouse" ? termOf(event) : null;
    if (node) open(node, false);
  });
  document.addEventListener("pointerout", (event) => {
    if (termOf(event) === owner && card && !card.dataset.pinned) close();
  });
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !card) return;
      event.stopPropagation(); // a card closes before whatever else Escape would leave
      close();
    },
    true,
  );
  addEventListener("scroll", follow, { passive: true, capture: true }); // what scrolls inside the page, too
}

/** Keeps the card at its word, for as long as the word can be seen. */
function follow() {
  if (!card || !owner) return;
  const { top, bottom } = owner.getBoundingClientRect();
  if (bottom > 0 && top < innerHeight) place(owner, card);
  else close();
}

/** @param {HTMLElement} node @param {boolean} pinned stays until it is closed */
function open(node, pinned) {
  const entry = entries.get((node.dataset.term || "").toLowerCase());
  if (!entry) return;
  if (owner !== node || !card) {
    close();
    card = el("div", { class: "ptp-card", id: "ptp-card", role: "status" }, [
      el("b", { text: entry.name }),
      entry.text,
    ]);
    (node.closest(".learn") || document.body).append(card);
    owner = node;
    node.setAttribute("aria-expanded", "true");
    node.setAttribute("aria-describedby", "ptp-card");
    place(node, card);
  }
  if (pinned) card.dataset.pinned = "1";
}

/** Below its word, or above it where there is no room. @param {HTMLElement} node @param {HTMLElement} shown */
function place(node, shown) {
  const at = node.getBoundingClientRect(),
    own = shown.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - own.width - 8));
  const below = at.bottom + 6 + own.height < innerHeight;
  shown.style.left = `${left}px`;
  shown.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - own.height - 6)}px`;
}

/** Closes the card, if one is open. */
export function close() {
  card?.remove();
  owner?.setAttribute("aria-expanded", "false");
  owner?.removeAttribute("aria-describedby");
  card = owner = null;
}

/** A page's header, and the links in it: its value is JSON {entries}. @param {{props: any}} component */
export function mount({ props }) {
  linkPages();
  define(JSON.parse(props.value).entries);
}
