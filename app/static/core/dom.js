// @ts-check
// Elements. Text of a model reaches the page as text only: textContent, never markup.

export const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Child | (Child | Child[])[]} Children with gaps, and with lists in the list */
/** @typedef {Record<string, any>} Attributes an attribute's value; `text`: textContent; `onclick`, ...: a listener */

/**
 * @template {Element} E
 * @param {E} node
 * @param {Attributes} [attributes]
 * @param {Children} [children]
 * @returns {E}
 */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of /** @type {Child[]} */ ([children].flat(Infinity))) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Children} [children]
 */
export const el = (tag, attributes, children) => fill(document.createElement(tag), attributes, children);

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Children} [children]
 */
export const svg = (tag, attributes, children) => fill(document.createElementNS(SVG, tag), attributes, children);

/**
 * A button that a page finds by its name in `data-do`.
 * @param {string} name
 * @param {string} text
 * @param {string} label
 */
export const button = (name, text, label) =>
  el("button", { type: "button", "data-do": name, "aria-label": label, title: label }, text);

/**
 * The first element inside that matches; null if there is none.
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const find = (root, selector) => root.querySelector(selector);

/**
 * All elements inside that match.
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
export const findAll = (root, selector) => /** @type {HTMLElement[]} */ ([...root.querySelectorAll(selector)]);

/**
 * The element that an event met, or one around it, that matches.
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function closest(event, selector) {
  return event.target instanceof Element ? event.target.closest(selector) : null;
}

/**
 * What a page mounts on; null where it was mounted before.
 * @param {HTMLElement} element
 * @param {string} selector
 */
export function takeRoot(element, selector) {
  const root = find(element, selector);
  if (!root || root.dataset.ready) return null;
  root.dataset.ready = "yes";
  return root;
}

/** Whether the visitor asked for less motion. */
export const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * The value of one of the lab's colours where this element stands.
 * @param {Element} element
 * @param {string} name
 */
export const colour = (element, name) => getComputedStyle(element).getPropertyValue(`--ptp-${name}`).trim();

/**
 * Holds a value in a range.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * Puts a page's state where the console and the tests find it: window.PTPLab.
 * @param {string} name
 * @param {object} state
 */
export function expose(name, state) {
  const all = /** @type {any} */ (window);
  all.PTPLab = { ...all.PTPLab, [name]: state };
}
