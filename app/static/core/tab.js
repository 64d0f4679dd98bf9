// @ts-check
// What a tab keeps while its visitor goes from page to page, and when a page is loaded anew. It keeps the text that
// was seen last, the visitor's own model, and the run that was under way. Other tabs know nothing of it.

import { ASKED } from "./shared.js";

const MODEL = "ptp-model", RUN = "ptp-run";
const MOST_TRIES = 2; // a run that ends the server each time must not do so for ever

/** @typedef {{ path: string, query: string | null, tries: number }} Cut a run that a new load of its page ended */

/** Keeps a text under a name; null forgets it. @param {string} name @param {string | null} value */
export function keep(name, value) {
  try {
    if (value === null) window.sessionStorage.removeItem(name);
    else window.sessionStorage.setItem(name, value);
  } catch (error) { // a browser that keeps nothing, or no more
    return;
  }
}

/** What is kept under a name. @param {string} name @returns {string | null} */
export function kept(name) {
  try {
    return window.sessionStorage.getItem(name);
  } catch (error) { // a browser that keeps nothing
    return null;
  }
}

/** Keeps the visitor's model. @param {string} model as text: [name, adapter, number format] */
export function keepModel(model) {
  const [name, adapter, dtype] = JSON.parse(model || "[null, null, null]");
  keep(MODEL, name || adapter || (dtype && dtype !== "auto") ? model : null);
}

/** The visitor's model as text; "" for the default. */
export const ownModel = () => kept(MODEL) || "";

// ---- a run that is cut off ------------------------------------------------------------------------------

/** A run is under way. @param {string | null} query of the link that would ask for it */
export function underWay(query) {
  const tries = CUT && CUT.query === query ? CUT.tries + 1 : 1;
  keep(RUN, JSON.stringify({ path: window.location.pathname, query, tries }));
}

/** No run is under way. Returns what was kept of it, for `again`. */
export function ended() {
  const was = kept(RUN);
  keep(RUN, null);
  return was;
}

/** The run did not end by itself, so the page that is loaded next takes it up. @param {string | null} was */
export const again = (was) => keep(RUN, was);

/** The run that ended with the page before this one. @returns {Cut | null} */
function cutOff() {
  const was = ended(), [how] = performance.getEntriesByType("navigation");
  if (!was || /** @type {any} */ (how)?.type !== "reload") return null;
  const found = JSON.parse(was);
  return found.path === window.location.pathname ? found : null;
}

const CUT = cutOff();
const runsAgain = Boolean(CUT && CUT.query !== null && CUT.tries < MOST_TRIES);

/** What a page says of the run that ended with the page before it; null if there was none. */
export function cutText() {
  if (!CUT || runsAgain) return null;
  return "This page was loaded anew while your run was under way, so the run has ended. Run it again.";
}

/** What the address asks for, or the run that was cut off. */
export const arrived = () => new URLSearchParams(CUT?.query ?? window.location.search);

/**
 * What a page's first listener needs: the visitor's model, the query, and whether a text that no recorded race shows
 * is run at once. A link from elsewhere leads to the default model.
 */
export function opening() {
  const query = arrived(), fromHere = query.has("own") || !ASKED.some((name) => query.has(name));
  return [fromHere ? ownModel() : "", query.toString(), CUT && !runsAgain ? "" : "run"];
}

/** The visitor's model where it counts on this page; "" for the default. */
export const modelHere = () => opening()[0];

/**
 * The query by which a run of these inputs is asked for again.
 * @param {unknown[]} values of the inputs, in the order of ASKED
 */
export function queryOf(values) {
  const query = new URLSearchParams();
  ASKED.forEach((name, i) => query.set(name, String(values[i])));
  if (ownModel()) query.set("own", "1");
  return query.toString();
}
