// @ts-check
// The cards under the strip: each draws one kind of map of the chosen token.

import { clamp, el, findAll } from "../core/dom.js";
import { MAPS } from "../core/wire_maps.js";
import { foundMap, mapKey, rollAt } from "./history.js";
import { drawStrip, moveTo } from "./needle.js";
import { showProgress } from "./progress.js";
import { raceCard } from "./race_card.js";
import { square } from "./square.js";
import { sweep } from "./sweep.js";
import { edit, LAST } from "./work.js";

/** @typedef {import("./history.js").Page} Page */
/** @typedef {import("./history.js").CardKind} CardKind */

/** @type {Record<CardKind, (page: Page, map: any, position: number) => Node[]>} */
const DRAWN = {
  square: (page, map, position) => {
    const here = { u1: rollAt(page.state, position), u2: rollAt(page.state, position + 1) };
    const [first, second] = placesOf(map.moved || [null, null], position);
    return square(map, here, (u1, u2) => edit(page, { [first]: settable(u1), [second]: settable(u2) }));
  },
  sweep: (page, map, position) => sweep(map, rollAt(page.state, position), (u) => {
    if (map.moved === null) moveTo(page, u);
    else edit(page, { [`${position}.${map.moved}`]: settable(u) });
  }),
  race: (_, map) => raceCard(map),
  staircase: (_, map) => [el("p", { class: "ptp-facts", text: agreement(map) })],
};
/** A number that an edit can set. @param {number} u */
const settable = (u) => clamp(u, 1e-6, LAST);

/**
 * The names of the numbers at positions from `position` on: the u's, or the clocks of these tokens.
 * @param {(number | null)[]} tokens
 * @param {number} position
 */
const placesOf = (tokens, position) =>
  tokens.map((token, i) => (token === null ? `${position + i}` : `${position + i}.${token}`));

const KINDS = /** @type {CardKind[]} */ (Object.keys(DRAWN));

/** @param {import("../core/wire_maps.js").Stairs} map */
function agreement(map) {
  if (map.kind === null) {
    return "This adapter drafts no token here, so only the target's staircase is drawn.";
  }
  const [asked, wrong] = map.probes || [0, 0];
  return `Draft and target give the same token on ${(100 * map.agreement).toFixed(0)} % of u. `
    + `The total variation between their odds is ${map.total_variation.toFixed(2)}.`
    + (map.probes ? ` A sampled picture: ${wrong} of ${asked} extra test points differ.` : "")
    + (map.blind_agreement === null ? ""
      : ` A draft without u says one token for every u. It is right on ${(100 * map.blind_agreement).toFixed(0)} %.`);
}

/** Shows the maps of the chosen token that are here already. @param {Page} page */
export const drawCards = (page) => KINDS.forEach((kind) => show(page, kind));

/** @param {Page} page @param {CardKind} kind */
function show(page, kind) {
  const { state, view } = page, { body, tools, cost } = view.cards[kind];
  const other = kind === "staircase" && mapKey(state, kind) !== state.plotted; // the plot is of another token
  const map = other ? null : foundMap(state, kind), key = mapKey(state, kind);
  if (kind === "staircase") document.querySelector("#ptp-stairs")?.classList.toggle("is-elsewhere", !map);
  tools.hidden = !map;
  if (!map || state.position === null) {
    body.replaceChildren();
    return;
  }
  const rolls = [rollAt(state, state.position), rollAt(state, state.position + 1)], shown = `${key} ${rolls}`;
  if (body.dataset.shown === shown && body.childNodes.length) return;
  const anew = body.dataset.map !== key;
  const focused = findAll(body, "svg").findIndex((picture) => picture === document.activeElement);
  Object.assign(body.dataset, { shown, map: key });
  body.replaceChildren(...DRAWN[kind](page, map, state.position));
  if (focused >= 0) findAll(body, "svg")[focused]?.focus();
  cost.textContent = `${map.calls} model calls`;
  if (anew) page.banner.announce(`${kind} drawn.`);
}

/**
 * A map came.
 * @param {Page} page
 * @param {{ kind: string, run: string, position: number, map: any }} event
 */
export function receiveMap(page, event) {
  page.run.end();
  page.banner.say(null);
  showProgress(page.view, null);
  keepMap(page, event);
}

/**
 * Keeps a map, and shows it where it is the chosen token's.
 * @param {Page} page
 * @param {{ kind: string, run: string, position: number, map: any }} event
 */
export function keepMap(page, { kind, run, position, map: raw }) {
  const { state, view } = page, map = MAPS[kind](raw), story = state.history.find((one) => one.run === run);
  const key = mapKey(state, kind, story || state.now, position);
  state.maps.set(key, { raw, map });
  if (kind === "bins") state.bins.set(`${run} ${position}`, map);
  if (kind === "staircase") {
    state.bins.set(`${run} ${position}`, map.target);
    state.plotted = key; // the plot under the cards is one for all tokens
  }
  const card = KINDS.find((one) => one === kind);
  if (card) delete view.cards[card].body.dataset.shown;
  if (key !== mapKey(state, kind)) return;
  if (card) show(page, card);
  drawStrip(page);
}
