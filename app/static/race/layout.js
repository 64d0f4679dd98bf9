// @ts-check
// The fixed parts of the Race page.

import { glyphOf } from "../core/chips.js";
import { button, el } from "../core/dom.js";
import { leaveButton } from "../core/present.js";
import { BASELINE, PARALLEL, STATUS } from "../core/shared.js";

/** @typedef {ReturnType<typeof build>} View */

const SPEEDS = [[0.25, "¼×"], [0.5, "½×"], [1, "1×"], [2, "2×"], [4, "4×"]];
const LEGEND = {
  accepted: "accepted draft", recovered: "corrected", bonus: "free extra", rejected: "wrong", discarded: "thrown away",
  settled: "placeholder", pending: "draft",
};
const HINT = "Space plays. ← → go one call. , and . choose a token. A switches the axis. P presents, Esc leaves.";

/**
 * Builds them into the root and returns those that change.
 * @param {HTMLElement} root
 * @param {import("../core/banner.js").Banner} banner
 */
export function build(root, banner) {
  const time = timeline();
  const lane = {
    ar: laneBox(BASELINE, "Autoregressive", "one token per call"),
    ptp: laneBox(PARALLEL, "Parallel", "same noise"),
  };
  lane.ptp.box.append(legend());
  const figures = [0, 1, 2, 3].map(() => {
    const value = el("b"), label = el("span");
    return { value, label, box: el("div", { class: "ptp-figure" }, [value, label]) };
  });
  const callTitle = el("h3"), call = el("div"), tokenTitle = el("h3"), token = el("div");
  const tape = el("div", { class: "ptp-tape" });
  const label = "Map of every call and position";
  const map = el("div", { class: "ptp-map", tabindex: "0", role: "group", "aria-label": label });
  const summary = el("summary", { text: "Every call, every position" });
  const mapBox = el("details", { class: "ptp-panel ptp-map-box" }, [summary, map]);
  const asked = el("p", { class: "ptp-asked" }); // the presentation shows the prompt
  const pill = el("p", { class: "ptp-pill" }), notes = el("div", { class: "ptp-notes" });
  const file = el("input", {
    type: "file", accept: ".json,application/json", hidden: true, "aria-label": "Race or trace file",
  });
  root.append(
    leaveButton(),
    banner.node, asked,
    el("div", { class: "ptp-figures" }, figures.map(({ box }) => box)),
    time.box,
    el("div", { class: "ptp-pair" }, [lane.ar.box, lane.ptp.box]),
    el("div", { class: "ptp-pair ptp-detail" }, [
      el("section", { class: "ptp-panel", "aria-label": "The current call" }, [callTitle, call]),
      el("section", { class: "ptp-panel", "aria-label": "The chosen token" }, [
        tokenTitle, token, el("h3", { class: "ptp-tape-title", text: "Noise tape" }), tape,
      ]),
    ]),
    mapBox,
    el("div", { class: "ptp-bottom" }, [pill, tools(file)]),
    notes, banner.spoken,
    el("p", { class: "ptp-hint ptp-soft", text: HINT }),
  );
  return { ...time, lane, figures, callTitle, call, tokenTitle, token, tape, map, mapBox, asked, pill, notes, file };
}

function timeline() {
  const bars = { ar: el("div", { class: "ptp-bars is-ar" }), ptp: el("div", { class: "ptp-bars is-ptp" }) };
  const scrub = el("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "Place in the race" });
  const clock = el("span", { class: "ptp-clock" });
  const play = button("play", "▶", "Play");
  const axis = {
    calls: button("calls", "calls", "Axis: model calls"),
    ms: button("ms", "milliseconds", "Axis: measured milliseconds"),
  };
  const prose = button("prose", "plain text", "Plain text: no signs for spaces, calls joined by lines");
  prose.setAttribute("aria-pressed", "false");
  const speed = el("select", { "aria-label": "Speed" }, SPEEDS.map(([value, text]) =>
    el("option", { value, text, selected: value === 1 })));
  const box = el("section", { class: "ptp-panel ptp-timeline", "aria-label": "Timeline" }, [
    el("div", { class: "ptp-track" }, [el("span", { text: "AR" }), bars.ar]),
    el("div", { class: "ptp-track" }, [el("span", { text: "PTP" }), el("div", {}, bars.ptp)]),
    el("div", { class: "ptp-transport" }, [
      el("div", { class: "ptp-buttons" }, [
        button("first", "|◂", "To the start"), button("back", "◂", "One call back"), play,
        button("next", "▸", "One call on"), button("last", "▸|", "To the end"),
      ]),
      scrub, clock, speed,
      el("span", { class: "ptp-axis", role: "group", "aria-label": "Axis" }, [axis.calls, axis.ms]),
      el("span", { class: "ptp-axis" }, prose),
    ]),
  ]);
  return { box, bars, scrub, clock, play, axis, speed, prose };
}

/**
 * @param {string} name
 * @param {string} heading
 * @param {string} sub
 */
function laneBox(name, heading, sub) {
  const text = el("div", { class: "ptp-text", tabindex: "0", role: "group", "aria-label": `${heading}: the text` });
  const info = el("span", { class: "ptp-soft" });
  const title = el("h3", { text: heading }), note = el("span", { class: "ptp-soft", text: sub });
  const box = el("section", { class: `ptp-panel ptp-lane is-${name}`, "aria-label": heading }, [
    el("div", { class: "ptp-lane-head" }, [title, note, info]), text,
  ]);
  return { text, info, title, note, box };
}

const legend = () => el("p", { class: "ptp-legend" }, Object.entries(LEGEND).map(([status, text]) => {
  const glyph = glyphOf(status);
  const sign = glyph ? el("sup", { text: glyph }) : null;
  return el("span", { class: `ptp-chip is-${status}`, title: STATUS[status].says }, [text, sign]);
}));

/** @param {HTMLElement} file */
const tools = (file) => el("div", { class: "ptp-tools" }, [
  button("link", "Copy link", "Copy a link to this race"),
  button("save", "Download", "Download both traces as JSON"),
  button("open", "Upload", "Open a race or trace file"),
  button("picture", "PNG", "Save a picture of the race (PNG)"),
  button("vector", "SVG", "Save a picture of the race (SVG)"),
  button("present", "Present", "Presentation mode (P)"),
  file,
]);
