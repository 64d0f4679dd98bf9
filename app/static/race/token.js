// @ts-check
// The chosen token: the bin that its u fell into, and the tape of all u's.

import { meaningOf, nameNodes, nameOf } from "../core/chips.js";
import { el, find, findAll } from "../core/dom.js";
import { strip, stripLabels } from "../core/strip.js";
import { nodes, percent, plain } from "../core/text.js";
import { BASELINE, LANES, PARALLEL } from "../core/wire.js";

/** @typedef {import("./lanes.js").Page} Page */
/** @typedef {import("./lanes.js").State} State */
/** @typedef {import("./lanes.js").LaneName} LaneName */
/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {{ lane: LaneName, token: Token }} Selected */

/**
 * The token that a visitor chose, or else the newest one.
 * @param {State} state
 * @returns {Selected | null}
 */
function selected({ pinned, lanes }) {
  if (pinned && lanes[pinned.lane].tokens[pinned.position]) {
    return { lane: pinned.lane, token: lanes[pinned.lane].tokens[pinned.position] };
  }
  const lane = lanes.ptp.shown ? PARALLEL : lanes.ar.shown ? BASELINE : null;
  return lane && { lane, token: lanes[lane].tokens[lanes[lane].shown - 1] };
}

/** @param {Page} page */
export function drawToken({ state, view, drawn }) {
  const found = selected(state);
  for (const name of LANES) {
    const box = view.lane[name].text;
    for (const node of findAll(box, ".is-selected")) node.classList.remove("is-selected");
    if (!found || !state.pinned) continue;
    find(box, `[data-position="${found.token.position}"]`)?.classList.add("is-selected");
  }
  const key = found ? `${state.run}/${found.lane}/${found.token.position}` : "";
  if (key !== drawn.token) {
    drawn.token = key;
    drawBin(view, found);
  }
  drawTape(state, view, found);
}

/**
 * @param {import("./layout.js").View} view
 * @param {Selected | null} found
 */
function drawBin(view, found) {
  if (!found) {
    view.tokenTitle.textContent = "Where u falls";
    const words = "Choose a token to see which roll u picked it.";
    view.token.replaceChildren(el("p", { class: "ptp-soft", text: words }));
    return;
  }
  const { token } = found, { u } = token, side = u > 0.85 ? " is-right" : u < 0.15 ? " is-left" : "";
  view.tokenTitle.replaceChildren(`Token ${token.position + 1}: why “`, nameNodes(token), "”?");
  const raced = isRaced(token), lone = raced ? { ...token, u: -1 } : token; // no u falls on the odds of a race
  const box = el("div", { class: "ptp-strip-box" }, [
    strip(lone), ...stripLabels(token),
    ...(raced ? [] : [el("span", { class: `ptp-u${side}`, style: `left:${100 * u}%`, text: `u = ${u.toFixed(3)}` })]),
  ]);
  view.token.replaceChildren(
    ...(token.candidates.length ? [box] : []),
    el("p", { class: "ptp-facts", text: facts(found) }),
    ...(token.excluded.length ? [excluded(token)] : []),
  );
}

/** @param {Selected} found */
function facts({ lane, token }) {
  const slice = `${token.left.toFixed(3)} to ${token.right.toFixed(3)}`;
  return [
    ...(isRaced(token) ? clocksOf(token) : [`its slice is ${slice}; the roll was u = ${token.u.toFixed(3)}`]),
    `${percent(token.prob)} likely`, ...(isRaced(token) ? [] : [nearMiss(token)]),
    token.omitted > 0.0005 ? `${percent(token.omitted)} in tokens not listed` : null,
    token.filtered > 0.0005 ? `${percent(token.filtered)} removed by top-k and top-p` : null,
    lane === PARALLEL ? meaningOf(token) : null,
  ].filter(Boolean).join(" · ");
}

/** Whether its tokens ran a race of clocks. @param {Token} token */
const isRaced = ({ candidates }) => candidates.some(({ clock }) => clock !== undefined);

/** When the first two clocks rang. @param {Token} token */
function clocksOf({ candidates }) {
  const [first, second] = candidates.map(({ text, prob, clock }) => ({ text, time: -Math.log(Number(clock)) / prob }))
    .sort((a, b) => a.time - b.time);
  const next = second ? `“${plain(second.text)}” was second, at ${second.time.toFixed(2)}` : "no other token ran";
  return [`its clock rang first, at ${first.time.toFixed(2)}`, next];
}

/** What the nearest other roll would have given. @param {Token} token */
export function nearMiss({ u, margin, flip, candidates }) {
  if (margin === null) return "no other token was possible";
  if (flip === null) return `another token was ${margin.toPrecision(2)} away`;
  const other = candidates.find(({ left, prob, own }) => !own && left <= flip && flip < left + prob);
  const given = other ? `“${plain(other.text)}”` : "another token";
  return `a roll ${margin.toPrecision(2)} ${flip < u ? "lower" : "higher"} would have given ${given}`;
}

/** @param {Token} token */
const excluded = (token) => el("p", { class: "ptp-excluded" }, ["removed: ", ...token.excluded.map(({ text, prob }) =>
  el("span", {}, [...nodes(text), el("small", { text: ` ${percent(prob)}` })]))]);

/**
 * @param {State} state
 * @param {import("./layout.js").View} view
 * @param {Selected | null} found
 */
function drawTape({ lanes: { ar, ptp } }, view, found) {
  const { tokens } = ar.tokens.length >= ptp.tokens.length ? ar : ptp;
  while (view.tape.childElementCount < tokens.length) {
    view.tape.append(tapeBar(tokens[view.tape.childElementCount]));
  }
  view.tape.classList.toggle("is-dense", tokens.length > 100);
  const shown = Math.max(ar.shown, ptp.shown);
  [...view.tape.children].forEach((node, i) => {
    node.classList.toggle("is-own", found !== null && i === found.token.position);
    node.classList.toggle("is-future", i >= shown);
  });
}

/** @param {Token} token */
const tapeBar = ({ position, u }) => el("button", {
  type: "button", tabindex: "-1", class: "ptp-u-bar", "data-position": position,
  title: `u of token ${position + 1}: ${u.toFixed(4)}`, "aria-label": `u of token ${position + 1} is ${u.toFixed(3)}`,
}, el("i", { style: `height:${Math.max(2, 100 * u)}%` }));

/**
 * Chooses a token; the same one again: lets it go.
 * @param {Page} page
 * @param {LaneName} lane
 * @param {number} position
 */
export function pin(page, lane, position) {
  const { pinned } = page.state, same = pinned && pinned.lane === lane && pinned.position === position;
  page.state.pinned = same ? null : { lane, position };
  page.redraw();
}

/**
 * Chooses the neighbour of the token that is chosen.
 * @param {Page} page
 * @param {1 | -1} direction
 */
export function movePin(page, direction) {
  const now = selected(page.state);
  if (!now) return;
  const position = now.token.position + direction, token = page.state.lanes[now.lane].tokens[position];
  if (!token) return;
  page.state.pinned = { lane: now.lane, position };
  page.redraw();
  page.banner.announce(`token ${position + 1}, ${nameOf(token)}, u ${token.u.toFixed(3)}, ${meaningOf(token)}`);
}
