// @ts-check
// The four headline figures, what was run, and the race in one sentence.

import { el } from "../core/dom.js";
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
    [ar && ptp ? `${ar.calls} → ${ptp.calls}` : `${(ar || ptp)?.calls ?? "–"}`, "model calls, AR → PTP"],
    [ptp ? ptp.tokens_per_call.toFixed(2) : "–", "tokens per call"],
    [done && done.speedup ? `${done.speedup.toFixed(2)}×` : "–", speedWords(state, done)],
    [proof.value, proof.words],
  ];
  shown.forEach(([value, label], i) => {
    view.figures[i].value.textContent = value;
    view.figures[i].label.textContent = label;
  });
  view.figures[3].box.classList.toggle("is-bad", proof.bad);
  view.pill.textContent = meta ? madeBy(meta) : "";
  view.notes.replaceChildren(...(meta ? meta.notes : []).map((note) => el("p", { class: "ptp-note", text: note })));
  for (const name of LANES) {
    const lane = summary && summary.lanes[name];
    view.lane[name].info.textContent =
      lane && lane.tokens ? `${((1000 * lane.seconds) / lane.tokens).toFixed(1)} ms per token` : "";
  }
  const method = meta && meta.methods.ptp, title = view.lane.ptp.title;
  const short = method && METHODS[method] ? METHODS[method].short : method;
  title.textContent = short ? `Parallel (${short})` : "Parallel";
  title.closest("section")?.setAttribute("aria-label", title.textContent);
}

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
  const words = `faster than one by one, ${ORIGINS[state.meta ? state.meta.origin : "live"]}`;
  if (!done || !done.lanes.ar || !done.lanes.ptp) return words;
  if (!done.drafted) return "no drafts were made: both lanes did the same work";
  const { ar, ptp } = done.lanes, dearer = ptp.seconds / ptp.calls / (ar.seconds / ar.calls);
  return dearer > 1.05 ? `${words}; each call takes ${dearer.toFixed(2)}× as long` : words;
}

/** The race in one sentence. @param {State} state */
export function summaryText({ summary }) {
  if (!summary || !summary.lanes.ar || !summary.lanes.ptp) return "Done.";
  const { lanes: { ar, ptp }, divergence, speedup } = summary;
  const same = divergence === null ? "Both texts are identical" : `The texts differ from token ${divergence + 1} on`;
  const speed = speedup ? speedup.toFixed(2) : "unknown";
  return `${same}: ${ar.calls} calls one by one, ${ptp.calls} in parallel, ${speed} times as fast.`;
}
