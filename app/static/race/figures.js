// @ts-check
// The four headline figures, what was run, and the race in one sentence.

import { el } from "../core/dom.js";
import { plain } from "../core/text.js";
import { METHODS } from "../core/shared.js";
import { LANES } from "../core/wire.js";

/** @typedef {import("./lanes.js").Page} Page */
/** @typedef {import("./lanes.js").State} State */
/** @typedef {import("../core/wire.js").Summary} Summary */

const ORIGINS = {
  live: "measured on this machine", recorded: "measured when recorded", uploaded: "as the file says",
};

const SAME = "both texts are equal, token by token";

/** @param {Page} page */
export function drawFigures({ state, view }) {
  const { summary, meta } = state, done = summary && !state.live ? summary : null;
  const { ar, ptp } = summary ? summary.lanes : { ar: undefined, ptp: undefined };
  const proof = done && ar && ptp ? proven(done) : { value: "–", words: SAME, bad: false };
  /** @type {[string, string][]} */
  const shown = [
    [calls(summary), callWords(summary)],
    [ptp ? ptp.tokens_per_call.toFixed(2) : "–", "tokens per call"],
    [done && done.speedup ? `${done.speedup.toFixed(2)}×` : "–", speedWords(state, done)],
    [proof.value, proof.words],
  ];
  shown.forEach(([value, label], i) => {
    view.figures[i].value.textContent = value;
    view.figures[i].label.textContent = label;
  });
  view.figures[3].box.classList.toggle("is-bad", proof.bad);
  view.asked.textContent = meta ? plain(meta.prompt) : "";
  view.pill.textContent = meta ? madeBy(meta) : "";
  view.notes.replaceChildren(...(meta ? meta.notes : []).map((note) => el("p", { class: "ptp-note", text: note })));
  for (const name of LANES) {
    const lane = summary?.lanes[name], alone = lane && lane.tokens ? (1000 * lane.seconds) / lane.tokens : null;
    const ms = summary?.fair ? summary.fair.ms?.[LANES.indexOf(name)] : alone;
    view.lane[name].info.textContent = ms ? `${ms.toFixed(1)} ms per token` : "";
    view.lane[name].info.title = summary?.fair ? "The call that reads the prompt is left out." : "";
  }
  const method = meta && meta.methods.ptp, title = view.lane.ptp.title;
  const short = method && METHODS[method] ? METHODS[method].short : method;
  title.textContent = short ? `Parallel (${short})` : "Parallel";
  title.closest("section")?.setAttribute("aria-label", title.textContent);
  const next = state.chosen && state.chosen !== method ? METHODS[state.chosen] : null, { note } = view.lane.ptp;
  note.textContent = next ? `next run: ${next.short}` : "same noise";
  note.title = next ? next.sentence : "";
  note.classList.toggle("is-next", Boolean(next));
}

/** Whether one lane was stopped before the other. @param {Summary} summary */
const uneven = ({ fair, lanes }) => fair && LANES.some((name) => lanes[name]?.tokens !== fair.tokens);

/** Calls of both lanes for the same tokens, of one where there is no other. @param {Summary | null} summary */
export function calls(summary) {
  if (summary?.fair) return summary.fair.calls.join(" → ");
  return `${(summary?.lanes.ar || summary?.lanes.ptp)?.calls ?? "–"}`;
}

/** @param {Summary | null} summary */
export const callWords = (summary) => summary?.fair && uneven(summary)
  ? `calls for the first ${summary.fair.tokens} tokens, AR → PTP` : "model calls, AR → PTP";

/** @param {import("../core/wire.js").Meta} meta */
function madeBy(meta) {
  const adapter = meta.adapter ? `adapter ${meta.adapter}` : "no adapter";
  return [meta.model, adapter, `${meta.device} ${meta.dtype}`, meta.origin].join(" · ");
}

/**
 * Whether both lanes have the same text.
 * @param {Summary} summary of two lanes
 */
function proven({ lanes, divergence, gap, margin }) {
  const [ar, ptp] = [lanes.ar?.tokens || 0, lanes.ptp?.tokens || 0];
  if (divergence === null) {
    const words = ar === ptp ? SAME : "equal as far as both lanes came";
    return { value: `✓ ${Math.min(ar, ptp)} / ${Math.max(ar, ptp)}`, words, bad: false };
  }
  const why = gap !== null && gap < 1e-5
    ? "two equally likely tokens changed places"
    : `u was ${margin === null ? "?" : margin.toExponential(1)} from another token`;
  return { value: `≠ at ${divergence + 1}`, words: `texts differ from token ${divergence + 1} on: ${why}`, bad: true };
}

/**
 * @param {State} state
 * @param {Summary | null} done
 */
function speedWords(state, done) {
  const words = `${fasterWords(done?.speedup ?? null)}, ${ORIGINS[state.meta ? state.meta.origin : "live"]}`;
  if (!done?.fair) return words;
  if (!done.drafted) return "no drafts were made: both lanes did the same work";
  if (!done.speedup) return done.fair.why;
  const [one, many] = done.fair.calls, dearer = (one - 1) / (many - 1) / done.speedup;
  return dearer > 1.05 ? `${words}; each call takes ${dearer.toFixed(2)}× as long` : words;
}

/** What a speed-up says in words. @param {number | null} speedup */
export function fasterWords(speedup) {
  if (speedup !== null && speedup < 0.995) return "slower than one by one";
  return speedup !== null && speedup < 1.005 ? "as fast as one by one" : "faster than one by one";
}

/** The race in one sentence. @param {State} state */
export function summaryText({ summary }) {
  if (!summary || !summary.lanes.ar || !summary.lanes.ptp) return "Done.";
  const { divergence, speedup, fair } = summary;
  const same = divergence === null ? "Both texts are identical" : `The texts differ from token ${divergence + 1} on`;
  const [one, many] = fair ? fair.calls : [0, 0];
  const speed = speedup ? `${speedup.toFixed(2)} times the speed, ${fasterWords(speedup)}` : "no speed-up is given";
  return `${same}: ${one} calls one by one, ${many} in parallel, ${speed}.`;
}
