// @ts-check
// The fixed parts of the Noise page.

import { button, el } from "../core/dom.js";
import { leaveButton } from "../core/present.js";
import { LAST } from "./work.js";

/** @typedef {ReturnType<typeof build>} View */

const FORMATS = ["png", "svg", "csv", "json"];
const KEY = "Under each token: its roll u (line) in its slice (shaded). A line near the edge was nearly another "
  + "token (!). ◆: you moved it. Underlined: it differs from the original.";
const HINT = "Keys: arrows move between tokens, or the needle when the strip has the focus. Enter decodes at once. "
  + "Ctrl Z undoes.";

/**
 * Builds them into the root and returns those that change.
 * @param {HTMLElement} root
 * @param {import("../core/banner.js").Banner} banner
 */
export function build(root, banner) {
  const text = el("div", { class: "nz-text", role: "group", "aria-label": "The text and its noise" });
  const textInfo = el("span", { class: "ptp-soft" });
  const lane = { tabindex: "0", role: "group", "aria-label": "The parallel lane's text" };
  const parallel = el("div", { class: "ptp-text nz-parallel", ...lane }), same = el("span", { class: "nz-same" });
  const needles = strip(), controls = needleControls();
  const asked = el("p", { class: "ptp-asked" }); // the presentation shows the prompt
  const pill = el("p", { class: "ptp-pill" });
  const file = el("input", {
    type: "file", accept: ".json,application/json", hidden: true, "aria-label": "Race or trace file",
  });
  const cards = {
    square: card("square", "The unit square",
      "Each point is a pair of numbers, coloured by the two tokens it gives: both u's, or the clocks of both tokens.",
      "Try: click another colour and watch both tokens change. A draft without u says one second token everywhere; "
      + "PTP can follow the target's shape."),
    sweep: card("sweep", "The sweep",
      "The number of this token runs across: its u, or its own clock. Below it, the tokens that follow.",
      "Try: find a small step that rewrites everything, and one after which the text recovers. Click to go there."),
    staircase: card("staircase", "The staircase",
      "The paper's picture: the odds, stacked to a staircase (the inverse CDF). u picks the step.",
      "Try: compare the draft's dotted stairs with the target's."),
    race: card("race", "The two races",
      "The target's clocks and the draft's run on the same numbers, each with its own odds.",
      "Try: see how often both have one winner although their odds differ."),
  };
  cards.staircase.box.classList.add("only-u");
  cards.race.box.classList.add("only-race");
  const agreement = /** @type {HTMLDetailsElement} */ (el("details", { class: "ptp-panel nz-agreement" }, [
    el("summary", {}, [el("b", { text: "When does knowing the noise help a draft?" })]),
    el("p", { class: "nz-small", text: "A draft with other odds than the target's may still pick the same token from "
      + "the same noise. How often it does hangs on the map from noise to tokens, and on how good its odds are." }),
  ]));
  root.append(
    leaveButton(), banner.node, asked,
    el("div", { class: "nz-top" }, [
      el("section", { class: "ptp-panel", "aria-label": "Text" }, [
        el("div", { class: "ptp-lane-head" }, [el("h3", { text: "The text, and the noise that chose it" }), textInfo]),
        text, el("p", { class: "ptp-soft nz-small", text: KEY }),
      ]),
      el("section", { class: "ptp-panel", "aria-label": "Parallel lane" }, [
        el("div", { class: "ptp-lane-head" }, [el("h3", { text: "Parallel, same noise" }), same]), parallel,
      ]),
    ]),
    el("section", { class: "ptp-panel nz-chosen", "aria-label": "The chosen token" }, [
      el("div", { class: "nz-card-head" }, [
        group(button("back", "◂", "The token before"), button("next", "▸", "The next token")),
        needles.title, needles.preview,
      ]),
      needles.strip, needles.clocks, needles.band, needles.facts, needles.excluded, controls.controls,
    ]),
    el("div", { class: "ptp-bottom nz-bottom" }, [pill, tools(file)]),
    banner.spoken,
    el("p", { class: "ptp-hint ptp-soft", text: HINT }),
    ...Object.values(cards).map(({ box }) => box),
    agreement,
  );
  return { text, textInfo, parallel, same, ...needles, ...controls, asked, pill, file, cards, agreement };
}

function strip() {
  return {
    title: el("h3"),
    preview: el("p", { class: "nz-preview", "aria-live": "off" }),
    needle: el("i", { class: "nz-needle", "aria-hidden": "true" }),
    bubble: el("span", { class: "nz-bubble", "aria-hidden": "true" }),
    strip: el("div", {
      class: "ptp-strip-box nz-strip only-u", role: "slider", tabindex: "0", "aria-label": "u of the chosen token",
      "aria-valuemin": "0", "aria-valuemax": "1",
    }),
    clocks: el("div", { class: "nz-clocks only-race", role: "group", "aria-label": "The race of clocks" }),
    band: el("div", { class: "nz-band-box only-u" }),
    facts: el("p", { class: "ptp-facts" }),
    excluded: el("p", { class: "ptp-excluded" }),
  };
}

/** @param {...Node} buttons */
const group = (...buttons) => el("span", { class: "nz-buttons" }, buttons);

function needleControls() {
  const number = el("input", {
    type: "number", min: 0, max: LAST, step: 0.001, "aria-label": "u", class: "nz-number",
  });
  const zoom = el("input", {
    type: "range", min: 0, max: 10, step: 0.25, value: 0, "aria-label": "Zoom into the strip",
  });
  const freeze = el("input", { type: "checkbox", checked: true });
  const doing = {
    restore: button("restore", "Reset token", "The seed's own u for this token"),
    undo: button("undo", "↶ Undo", "Undo (Ctrl Z)"),
    redo: button("redo", "↷ Redo", "Redo (Ctrl Shift Z)"),
    all: button("all", "Reset all", "Back to the original text"),
  };
  const frozen = "On: every other u stays as it is. Off: each u behind this token is drawn anew.";
  const controls = el("div", { class: "nz-controls" }, [
    el("label", { class: "only-u" }, ["u ", number]),
    group(
      button("flip", "Nearest flip", "The smallest change of u that picks another token"),
      button("roll", "⚄ Re-roll", "A new u for this token"), doing.restore,
    ),
    group(doing.undo, doing.redo, doing.all),
    el("label", { class: "only-u", title: frozen }, [freeze, " freeze the rest"]),
    el("label", { class: "only-u" }, ["zoom ", zoom]),
    group(...saves("bins", "the bins of this token")),
  ]);
  return { number, zoom, freeze, doing, controls };
}

/** @param {string} what @param {string} words */
const saves = (what, words) => FORMATS.map((format) => el("button", {
  type: "button", "data-save": `${what} ${format}`, "aria-label": `Save ${words} as ${format}`,
}, format.toUpperCase()));

/**
 * @param {string} kind
 * @param {string} title
 * @param {string} what
 * @param {string} attempt
 */
function card(kind, title, what, attempt) {
  const body = el("div", { class: "nz-body" }), cost = el("span", { class: "ptp-soft" }), fill = el("i");
  const bar = el("div", { class: "nz-progress", hidden: true }, fill);
  const kept = el("div", { class: "ptp-tools", hidden: true }, [cost, ...saves(kind, `the ${kind}`)]);
  const draw = el("button", {
    type: "button", class: "nz-draw", "data-map": kind, "aria-label": `${title}: draw or stop`, text: "Draw",
  });
  const box = el("section", { class: "ptp-panel nz-card", "aria-label": title }, [
    el("div", { class: "nz-card-head" }, [el("h3", { text: title }), draw]),
    el("p", { class: "nz-small" }, [what, " ", el("span", { class: "ptp-soft", text: attempt })]),
    bar, body, kept,
  ]);
  return { box, body, bar, fill, tools: kept, button: draw, cost };
}

/** @param {HTMLElement} file */
const tools = (file) => el("div", { class: "ptp-tools" }, [
  button("link", "Copy link", "Copy a link to this text and its noise"),
  button("save", "Download", "Download both traces as JSON"),
  el("button", { type: "button", "data-save": "tape csv", "aria-label": "Save the tape as CSV", text: "Tape CSV" }),
  button("open", "Upload", "Open a race or trace file"),
  button("present", "Present", "Presentation mode"),
  file,
]);
