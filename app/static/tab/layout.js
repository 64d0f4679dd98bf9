// @ts-check
// The fixed parts of the page whose model runs in the tab.

import { button, el } from "../core/dom.js";
import { leaveButton } from "../core/present.js";

/** @typedef {ReturnType<typeof build>} View */

export const EXAMPLES = {
  "a function": "def read_lines(path):\n    \"\"\"Return the lines of a file.\"\"\"",
  "a class": "class Stack:\n    def __init__(self, items):\n        self.items = items\n\n    def push(self, item):",
  "a test": "import unittest\n\n\nclass TestPath(unittest.TestCase):\n    def test_join(self):",
  "imports": "import os\nimport sys",
};
const KEY = "A click on a token shows its slices below. ◆: you moved its number. Underlined: it changed with it. "
  + "In one frame: from one call.";
const TIME = "Fewer calls are not less time here: in a tab, each further row of a call costs time of its own.";
const HINT = "Keys: arrows move between tokens, or the needle when the strip has the focus.";

/** @param {string} name @param {string} title */
function lane(name, title) {
  const text = el("div", { class: "ptp-text tab-code", role: "group", "aria-label": `${title}: the tokens` });
  const facts = el("span", { class: "ptp-soft" });
  const box = el("section", { class: "ptp-panel", "aria-label": title, "data-lane": name }, [
    el("div", { class: "ptp-lane-head" }, [el("h3", { text: title }), facts]), text,
  ]);
  return { box, text, facts };
}

/** @param {string} label @param {string} says */
function figure(label, says) {
  const value = el("b", { text: "–" }), note = el("span", { text: label });
  return { box: el("div", { class: "ptp-figure", title: says }, [value, note]), value, note };
}

/** @param {string} label @param {Record<string, string>} options @param {string} chosen */
function choice(label, options, chosen) {
  const select = el("select", { "aria-label": label }, Object.entries(options).map(([value, text]) =>
    el("option", { value, selected: value === chosen }, text)));
  return { select, box: el("label", {}, [`${label} `, select]) };
}

/** A link to the copy that opens without a network. @param {string} href */
export const keep = (href) => el("a", { href, target: "_blank", rel: "noopener", text: "Keep a copy for offline use" });

/**
 * Builds them into the root and returns those that change.
 * @param {HTMLElement} root
 * @param {import("../core/banner.js").Banner} banner
 */
export function build(root, banner) {
  const prompt = el("textarea", {
    id: "tab-prompt", rows: 5, spellcheck: "false", autocomplete: "off", autocapitalize: "off", maxlength: 1600,
    "aria-describedby": "tab-what",
  });
  const status = el("p", { class: "ptp-soft tab-status", role: "status", text: "Loading the model …" });
  const seed = el("input", { type: "number", min: 0, max: 4294967295, step: 1, value: 7, "aria-label": "Seed" });
  const budget = choice("Slots per call", { 2: "2", 4: "4", 8: "8", 16: "16", 32: "32" }, "8");
  const length = choice("Tokens", { 16: "16", 32: "32", 64: "64", 128: "128" }, "32");
  const drafter = choice("Drafts by", { ptp: "slots told u", blind: "slots without u" }, "ptp");
  const play = button("play", "▶ Play the race", "Play both lanes call by call");
  const lanes = { ar: lane("ar", "One by one"), ptp: lane("ptp", "Parallel, same noise") };
  const figures = {
    first: figure("ms from key to first token", "From the last change to the first token on this page"),
    calls: figure("calls in parallel", "Calls of the right lane, and those of the left one"),
    perCall: figure("tokens per call", "Tokens of the right lane for each of its calls"),
    time: figure("ms in parallel", "Measured time in the calls of each lane, in this tab"),
  };
  const title = el("h3", { text: "Choose a token" }), preview = el("p", { class: "tab-preview" });
  const strip = el("div", {
    class: "ptp-strip-box tab-strip", role: "slider", tabindex: "0", "aria-label": "u of the chosen token",
    "aria-valuemin": "0", "aria-valuemax": "1", "aria-valuenow": "0",
  });
  const facts = el("p", { class: "ptp-facts" });
  const squares = el("div", { class: "tab-squares" });
  const squareFacts = el("p", { class: "ptp-soft tab-small" });
  const square = el("details", { class: "ptp-panel tab-square" }, [
    el("summary", {}, [el("b", { text: "The unit square of this token and the next" })]),
    el("p", { class: "ptp-soft tab-small", text: "Each point is a pair of numbers: u of this token to the right, u of "
      + "the next one upwards. Its colour is the second token. A click takes both numbers." }),
    squares, squareFacts,
  ]);
  root.append(
    banner.node,
    el("section", { class: "ptp-panel tab-ask", "aria-label": "Your code" }, [
      el("p", { class: "tab-what", id: "tab-what" }, [
        el("b", { text: "This model completes Python code. It does not chat. " }),
        "It runs in this browser tab: your text stays here. ",
        el("label", { for: "tab-prompt", text: "Type, and both lanes continue it." }),
      ]),
      prompt,
      el("div", { class: "tab-row tab-try" }, [
        el("span", { class: "ptp-soft", text: "Try" }),
        ...Object.keys(EXAMPLES).map((name) =>
          el("button", { type: "button", "data-example": name, class: "tab-chip", text: name })),
      ]),
      el("div", { class: "tab-row" }, [
        el("label", {}, ["Seed ", seed]), button("dice", "⚄", "New seed"), length.box, budget.box,
        drafter.box, play, button("present", "Present", "Presentation mode"),
      ]),
      status,
    ]),
    el("div", { class: "ptp-figures tab-figures" }, Object.values(figures).map(({ box }) => box)),
    el("div", { class: "tab-lanes" }, Object.values(lanes).map(({ box }) => box)),
    el("p", { class: "ptp-soft tab-small", text: `${KEY} ${TIME}` }),
    el("section", { class: "ptp-panel", "aria-label": "The chosen token" }, [
      el("div", { class: "tab-head" }, [
        button("back", "◂", "The token before"), button("next", "▸", "The next token"), title, preview,
        button("reset", "Reset token", "The seed's own u for this token"),
        button("resetAll", "Reset all", "The seed's own noise everywhere"),
      ]),
      strip, facts,
    ]),
    square,
    el("p", { class: "ptp-hint ptp-soft", text: HINT }), banner.spoken, leaveButton(),
  );
  return {
    prompt, status, seed, budget: budget.select, length: length.select,
    drafter: drafter.select, play, lanes, figures, title, preview, strip,
    facts, square: /** @type {HTMLDetailsElement} */ (square), squares, squareFacts,
  };
}
