// @ts-check
// The two texts: every token with its provenance, up to where the clock stands.

import { joined, meaningOf, nameOf, ofCall, statusOf } from "../core/chips.js";
import { el, findAll } from "../core/dom.js";
import { breaksOf, directionOf, nodes } from "../core/text.js";
import { BASELINE, LANES } from "../core/wire.js";
import { callsShown } from "./lanes.js";

/** @typedef {import("./lanes.js").Page} Page */
/** @typedef {import("../core/wire.js").LaneName} LaneName */
/** @typedef {import("../core/wire.js").Token} Token */

/**
 * Puts new tokens behind those of their lane.
 * @param {Page} page
 * @param {LaneName} name
 * @param {Token[]} tokens
 */
export function append({ state, view }, name, tokens) {
  const { steps } = state.lanes[name];
  view.lane[name].text.append(...tokens.flatMap((token) => tokenNodes(name, token, steps[token.call].emitted)));
  view.lane[name].text.dir = directionOf(state.lanes[name].tokens);
}

/**
 * @param {LaneName} name
 * @param {Token} token
 * @param {Token[]} together the tokens of its call
 */
function tokenNodes(name, token, together) {
  const plain = name === BASELINE, status = plain ? "plain" : statusOf(token), call = ofCall(token, together);
  const node = el("button", {
    class: `ptp-token is-${status}${joined(token, together)}`, type: "button", tabindex: "-1", "data-lane": name,
    "data-position": token.position,
    "aria-label": `token ${token.position + 1}, ${nameOf(token)}${plain ? "" : `, ${status}${call}`}`,
    title: plain ? null : `${meaningOf(token)}${call}`,
  }, nodes(token.text, token.label));
  return [node, ...breaksOf(token.text)];
}

/**
 * Shows each lane's tokens up to the clock.
 * @param {Page} page
 */
export function drawTexts({ state, view }) {
  for (const name of LANES) {
    const track = state.lanes[name], before = track.shown, box = view.lane[name].text;
    track.calls = callsShown(state, track);
    const shown = track.tokens.findIndex((token) => token.call >= track.calls);
    track.shown = shown < 0 ? track.tokens.length : shown;
    const all = findAll(box, ".ptp-token");
    all.forEach((node, i) => {
      node.classList.toggle("is-future", i >= track.shown);
      node.classList.toggle("is-now", i < track.shown && track.tokens[i].call === track.calls - 1);
    });
    if (track.shown !== before) follow(box, all[track.shown - 1]);
  }
}

/**
 * Keeps the newest token in sight: the lane scrolls, the page does not.
 * @param {HTMLElement} box
 * @param {HTMLElement | undefined} node
 */
function follow(box, node) {
  const top = node ? node.offsetTop - box.offsetTop : 0, height = node ? node.offsetHeight : 0;
  const outside = top < box.scrollTop || top + height > box.scrollTop + box.clientHeight;
  if (outside) box.scrollTop = top + height / 2 - box.clientHeight / 2; // with what stands before and behind it
}
