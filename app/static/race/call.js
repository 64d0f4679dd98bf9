// @ts-check
// The current call: what it verified, and which drafts it prepared for each outcome.

import { chip, nameOf, statusOf } from "../core/chips.js";
import { el } from "../core/dom.js";
import { METHODS } from "../core/shared.js";
import { counted, nodes } from "../core/text.js";
import { currentStep, stopped } from "./lanes.js";

/** @typedef {import("./lanes.js").Page} Page */
/** @typedef {import("./lanes.js").State} State */
/** @typedef {import("../core/wire.js").Step} Step */
/** @typedef {import("../core/wire.js").Branch} Branch */

/** @param {Page} page */
export function drawCall({ state, view, drawn }) {
  const step = currentStep(state), key = step ? `${state.run}/${step.index}/${isEnd(state, step)}` : "";
  if (key === drawn.call) return;
  drawn.call = key;
  if (!step) {
    view.callTitle.textContent = "The parallel lane's calls";
    view.call.replaceChildren(soft("Play or step. Each call shows the drafts that it checked and made."));
    return;
  }
  view.callTitle.textContent = title(step);
  view.call.replaceChildren(verified(step), branches(state, step));
}

/** @param {string} text */
const soft = (text) => el("p", { class: "ptp-soft", text });

/** The drafts that a call verified, and its own token behind them. @param {Step} step */
function verified(step) {
  const row = step.drafts.map((draft) => chip(nodes(draft.text), draft.status, draft.prob.toFixed(2)));
  if (!step.extra) row.push(el("span", { class: "ptp-soft", text: "the text ends within the accepted drafts" }));
  else {
    const extra = step.emitted[step.emitted.length - 1];
    if (step.drafts.length) row.push(el("span", { class: "ptp-arrow", text: "→" }));
    row.push(chip(nodes(extra.text || extra.label), statusOf(extra)));
  }
  return el("div", { class: "ptp-drafts" }, row);
}

/**
 * @param {State} state
 * @param {Step} step
 */
function branches(state, step) {
  const label = "Branches: drafts prepared for each outcome";
  const role = step.branches.length ? "table" : null;
  const table = el("div", { class: "ptp-branches", role, "aria-label": role && label });
  table.append(...step.branches.map((branch) => branchRow(branch, step.drafts.length > 0)));
  if (!step.branches.length) table.append(soft(whyNone(state, step)));
  return table;
}

/**
 * @param {Branch} branch
 * @param {boolean} conditional whether there were drafts on which it depends
 */
function branchRow(branch, conditional) {
  const meter = el("i", { style: `width:${100 * branch.probability}%` });
  return el("div", { class: "ptp-branch" + (branch.kept ? " is-kept" : ""), role: "row" }, [
    el("span", { role: "cell", text: conditional ? `if ${branch.assumed} right` : "next" }),
    el("span", { class: "ptp-meter", role: "cell", title: "estimated before the check" }, meter),
    el("span", { role: "cell", text: branch.probability.toFixed(2) }),
    el("span", { class: "ptp-drafts", role: "cell" }, [
      ...branch.drafts.map((draft) => chip(nodes(draft.text), draft.status)),
      branch.kept ? el("b", { class: "ptp-kept", text: "kept" }) : null,
    ]),
  ]);
}

/**
 * Whether a call is the last one of a race that runs no more.
 * @param {State} state
 * @param {Step} step
 */
const isEnd = (state, step) => step.index === state.lanes.ptp.steps.length - 1 && !state.live;

/**
 * Why a call prepared no branch.
 * @param {State} state
 * @param {Step} step
 */
function whyNone(state, step) {
  if (isEnd(state, step)) return stopped(state) ? "Stopped here." : "The text ends here.";
  const method = state.meta && state.meta.methods.ptp;
  return (method && METHODS[method] && METHODS[method].between)
    || "No drafts for the next call. Too little text is left for them, or they would cost more time than they save.";
}

/** @param {Step} step */
function title(step) {
  const drafts = step.drafts.length;
  const corrected = step.extra === "recovered" ? ", 1 corrected" : "";
  const what = drafts ? `checked ${counted(drafts, "draft")}: ${step.accepted} right${corrected}`
    : step.kind === "prefill" ? "read the prompt" : "no drafts to check";
  const ms = (1000 * step.seconds).toFixed(0);
  return `Call ${step.index + 1} ${what} · ${counted(step.positions, "row")} · ${ms} ms`;
}

/** The current call in one sentence. @param {State} state */
export function stepText(state) {
  const step = currentStep(state);
  if (!step) return "Start of the race.";
  const drafted = step.drafts.length ? `${step.drafts.length} drafted, ${step.accepted} accepted, ` : "";
  const names = /** @type {Record<string, string>} */ ({ recovered: "corrected", bonus: "free extra" });
  const extra = step.extra ? `${names[step.extra] || step.extra}: ${nameOf(step.emitted[step.emitted.length - 1])}.`
    : "the text ends.";
  return `Call ${step.index + 1} of ${state.lanes.ptp.steps.length}. ${drafted}${extra}`;
}
