// @ts-check
// The result on screen, what is chosen of it, and what it is compared with.

import { query, remember } from "../core/address.js";
import { ask } from "../core/run.js";
import { entry, packed, result as decoded } from "../core/wire.js";

/** @typedef {import("../core/wire.js").Entry} Entry */
/** @typedef {import("../core/wire.js").Result} Result */
/** @typedef {import("../charts/axes.js").Exhibit} Exhibit */
/** @typedef {{ result: string, method: string, point: string }} Choice */
/** @typedef {{ method?: string, point?: string, category?: string }} Wish */

/**
 * @typedef {object} State
 * @property {Entry[]} list of all results
 * @property {Result | null} view the result on screen
 * @property {string} method
 * @property {string} picked the method that a visitor chose, which other results open with as well
 * @property {string} point of a sweep; empty outside of it
 * @property {string} category of questions; empty: all
 * @property {Choice | null} other what it is compared with
 * @property {Exhibit[]} exhibits
 * @property {Exhibit[] | null} others
 * @property {string | null} ticket
 * @property {boolean} busy
 * @property {string | null} live the result of a run under way
 * @property {number} asked counts requests: a late answer is dropped
 * @property {boolean} following a live result is being fetched
 */

/**
 * What the parts of the page share.
 * @typedef {object} Page
 * @property {HTMLElement} root
 * @property {import("./layout.js").View} view
 * @property {State} state
 * @property {import("../core/banner.js").Banner} banner
 * @property {import("../core/run.js").Server} server
 * @property {import("./exhibits.js").Card[]} cards
 * @property {() => void} draw all of it
 * @property {() => void} drawControls
 * @property {() => void} tell speaks a summary
 */

const OWN = "ptp-results"; // where the browser keeps its own results while the tab is open
const LOST = "The server did not answer. Reload the page.";

/** @returns {State} */
export const fresh = () => ({
  list: [], view: null, method: "", picked: "", point: "", category: "", other: null, exhibits: [], others: null,
  ticket: null, busy: false, live: null, asked: 0, following: false,
});

/** Asks the server. @param {Page} page @param {string} name @param {object} request */
export const askServer = (page, name, request) => ask(page.server, name, request, LOST);

/** The choice on screen. @param {State} state @returns {Choice} */
export const choice = ({ view, method, point }) => ({ result: view ? view.id : "", method, point });

/** A choice as one word, for a link. @param {Choice | null} one */
export const choiceText = (one) => (one ? [one.result, one.method, one.point].join("|") : "");

/** The same the other way round; null for none. @param {string} text @returns {Choice | null} */
export function choiceOf(text) {
  const [result, method, point] = text.split("|");
  return method ? { result, method, point: point || "" } : null;
}

/** @param {State} state @param {string} id */
export const entryOf = ({ list }, id) => list.find((one) => one.id === id);

/** The category of what is compared: none where the other result has no such questions. @param {State} state */
export function otherCategory(state) {
  const { other, view, category } = state;
  if (!other || !view || other.result === view.id) return category;
  return entryOf(state, other.result)?.categories.includes(category) ? category : "";
}

/** The figures of a method for what is chosen. @param {State} state @param {string} [method] */
export function figuresOf({ view, point, category, method: chosen }, method = chosen) {
  const found = view && view.points[point][method];
  return found ? (category ? found.byCategory[category] : found.all) : undefined;
}

/** A method's label. @param {State} state @param {string} method */
export const labelOf = ({ view }, method) => (view && view.labels[method]) || method;

/** A name of the data in words: "draft_budget=8" is "draft budget 8". @param {string} name */
export const inWords = (name) => name.replace("=", " ").replace(/_/g, " ");

/**
 * A choice in words, with its result where two are compared.
 * @param {State} state
 * @param {Choice} one
 */
export function named(state, { result, method, point }) {
  const { other, view } = state, two = other && view && other.result !== view.id;
  return [labelOf(state, method), inWords(point), two ? entryOf(state, result)?.title : ""].filter(Boolean).join(", ");
}

// ---- what is shown -------------------------------------------------------------------------------------

/**
 * Shows a result; what the wish names and the result has is chosen, the rest is as it was or as it opens.
 * @param {Page} page
 * @param {string} id
 * @param {Wish} [wish]
 * @param {boolean} [quiet] without a word
 * @returns {Promise<boolean>} false where it was not shown
 */
export async function show(page, id, wish = {}, quiet = false) {
  const { state, banner } = page, turn = (state.asked += 1);
  const found = await askServer(page, "fetch_result", { result: id });
  if (turn !== state.asked) return false;
  if (found.error) {
    banner.say(found.error, "error");
    page.drawControls();
    return false;
  }
  const before = state.view, view = decoded(found.view), { points } = view;
  const { method, point, category } = { method: state.picked, point: state.point, category: state.category, ...wish };
  const wanted = point in points && (point || !before || wish.point !== undefined);
  state.view = view;
  keep(state, view);
  state.point = wanted ? point : found.point;
  state.method = points[state.point][method] ? method : found.method;
  if (!points[state.point][state.method]) state.point = found.point;
  if (wish.method) state.picked = state.method;
  state.category = view.categories.includes(category) ? category : "";
  await refresh(page, quiet);
  return true;
}

/**
 * Asks for the exhibits of what is chosen, and of what it is compared with, and draws all anew.
 * @param {Page} page
 * @param {boolean} [quiet]
 */
export async function refresh(page, quiet) {
  const { state, banner } = page, turn = (state.asked += 1), { category, other } = state;
  const [found, others] = await Promise.all([
    askServer(page, "fetch_exhibits", { ...choice(state), category }),
    other ? askServer(page, "fetch_exhibits", { ...other, category: otherCategory(state) }) : null,
  ]);
  if (turn !== state.asked) return;
  if (found.error) {
    banner.say(found.error, "error");
    return;
  }
  state.exhibits = found.exhibits;
  state.others = others && !others.error ? others.exhibits : null;
  if (others && others.error) {
    state.other = null;
    banner.say(others.error, "error");
  }
  remember(linkTo(state));
  page.draw();
  if (!quiet) page.tell();
}

/** The query that leads to what is shown. @param {State} state */
function linkTo({ view, method, point, category, other }) {
  const wanted = { result: view ? view.id : "", method, point, category, with: choiceText(other) };
  return new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
}

/** Puts a result into the list, new or anew. @param {State} state @param {Entry} found */
function keep(state, { id, name, title, origin, drafting, categories }) {
  const line = { id, name, title, origin, drafting, categories }, at = state.list.findIndex((one) => one.id === id);
  if (at < 0) state.list.push(line);
  else state.list[at] = line;
  if (origin === "shipped") return;
  const own = state.list.filter((one) => one.origin !== "shipped").map(packed);
  try {
    sessionStorage.setItem(OWN, JSON.stringify(own));
  } catch (error) { /* no storage: the list ends with the page */ }
}

/** The results that this tab made or opened before. */
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(OWN) || "[]").map(entry);
  } catch (error) {
    return []; // as above
  }
}

/**
 * Opens the page: what the server shows first, or what the address asks for.
 * @param {Page} page
 * @param {any} event
 */
export async function open(page, event) {
  const { state, banner } = page, wanted = query();
  state.list = [...event.list.map(entry), ...kept()];
  state.other = choiceOf(wanted.get("with") || "");
  if (event.view) {
    const { method, point, exhibits } = event, view = decoded(event.view);
    Object.assign(state, { view, method, point, exhibits });
    keep(state, view);
  }
  page.draw();
  const fields = /** @type {("method" | "category")[]} */ (["method", "point", "category"]);
  const wish = Object.fromEntries(fields.filter((key) => wanted.has(key)).map((key) => [key, wanted.get(key) || ""]));
  const id = wanted.get("result") || event.view?.id;
  if (!id || !(wanted.has("result") || state.other || Object.keys(wish).length)) return;
  if (!(await show(page, id, wish)) || !state.view) return;
  const missed = /** @type {("method" | "category")[]} */ (["method", "category"])
    .find((key) => wish[key] && wish[key] !== state[key]);
  if (!missed) return;
  const words = `This link names the ${missed} “${wish[missed]}”, which “${state.view.title}” does not have.`;
  banner.say(`${words} Shown instead: the whole result.`, "info");
}
