// @ts-check
// The card of the two races: the target's clocks and the draft's, which run on the same numbers.

import { el } from "../core/dom.js";
import { nodes, percent, plain } from "../core/text.js";
import { onTrack } from "./clocks.js";

/** @typedef {import("../core/wire_maps.js").ClockRace} ClockRace */
/** @typedef {import("../core/wire_maps.js").Runner} Runner */

const SHOWN = 12;

/**
 * Both races, runner by runner, and how often their winners agree.
 * @param {ClockRace} map
 */
export function raceCard(map) {
  const first = (/** @type {"arrival" | "draftArrival"} */ what) => map.runners.reduce(
    (/** @type {Runner | null} */ best, one) =>
      one[what] !== null && (!best || Number(one[what]) < Number(best[what])) ? one : best, null);
  const target = first("arrival"), draft = first("draftArrival");
  const rows = map.runners.slice(0, SHOWN).map((one) => el("div", { class: "nz-runner" }, [
    el("span", { class: "nz-runner-name" }, nodes(one.text)),
    el("small", { class: "ptp-soft", text: odds(one) }),
    el("span", { class: "nz-track" }, [
      ...dots(one.arrival, one === target, "target", one.text),
      ...dots(one.draftArrival, one === draft, "draft", one.text),
    ]),
  ]));
  return [
    el("p", { class: "nz-legend" }, [
      el("span", {}, [el("i", { class: "nz-dot is-target" }), "target"]),
      ...(draft ? [el("span", {}, [el("i", { class: "nz-dot is-draft" }), "draft, on the same numbers"])] : []),
    ]),
    el("div", { class: "nz-clocks is-still" }, rows),
    el("p", { class: "ptp-facts", text: facts(map, target, draft) }),
  ];
}

/** @param {Runner} one */
const odds = ({ prob, draftProb }) =>
  `${prob === null ? "–" : percent(prob)} / ${draftProb === null ? "–" : percent(draftProb)}`;

/** @param {number | null} time @param {boolean} first @param {string} who @param {string} text */
const dots = (time, first, who, text) => (time === null ? [] : [el("b", {
  class: `is-${who}${first ? " is-first" : ""}`, style: `left:${100 * onTrack(time)}%`,
  title: `${who}, ${plain(text)}: rings at ${time.toFixed(2)}`,
})]);

/** @param {ClockRace} map @param {Runner | null} target @param {Runner | null} draft */
function facts(map, target, draft) {
  if (!target) return "";
  const won = map.lead === null ? `Only “${plain(target.text)}” runs.`
    : `“${plain(target.text)}” wins by ${percent(map.lead)} of the second's time, among ${map.count}.`;
  if (!draft || map.agreement === null || map.limit === null || map.likeliest === null) {
    return `${won} This adapter drafts no token here.`;
  }
  return `${won} The draft's winner is “${plain(draft.text)}”. `
    + `Over all noise both agree on ${percent(map.agreement)}. `
    + `The draft's likeliest token alone would be right on ${percent(map.likeliest)}, the best rule on `
    + `${percent(map.limit)}. The draft's odds are raised to the power ${map.sharpness}.`;
}

/** The runners' arrivals, for a picture. @param {ClockRace} map */
export const raceTimes = ({ runners }) => runners.slice(0, SHOWN).map((one) => (
  { text: one.text, odds: odds(one), times: [one.arrival, one.draftArrival] }));

/** @param {ClockRace} map */
export const raceRows = ({ runners }) => [
  ["token", "number", "probability", "rings_at", "draft_probability", "draft_rings_at"],
  ...runners.map((one) => [one.text, one.clock, one.prob ?? "", one.arrival ?? "", one.draftProb ?? "",
    one.draftArrival ?? ""]),
];
