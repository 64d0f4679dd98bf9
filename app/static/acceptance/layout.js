// @ts-check
// The fixed parts of the Acceptance page.

import { el } from "../core/dom.js";
import { leaveButton } from "../core/present.js";

/** @typedef {ReturnType<typeof build>} View */

const NONE = "No result came with this lab. Run a few questions above, or open a benchmark's JSON file.";

/** The button that stops a run, in the banner. */
export const stopButton = () => el("button", { type: "button", class: "ptp-stop", text: "Stop", hidden: true });

/**
 * Builds them into the root and returns those that change.
 * @param {HTMLElement} root
 * @param {import("../core/banner.js").Banner} banner
 */
export function build(root, banner) {
  const [result, point, category, method, other] = ["result", "point", "category", "method", "other"].map(
    (name) => el("select", { "data-choose": name }));
  const pointBox = labelled(point, "Setting");
  const figures = [0, 1, 2, 3].map(() => {
    const value = el("b"), label = el("span");
    return { value, label, box: el("div", { class: "ptp-figure" }, [value, label]) };
  });
  const file = el("input", {
    type: "file", accept: ".json,.gz,application/json,application/gzip", hidden: true,
    "aria-label": "Benchmark result",
  });
  const table = el("table", { class: "ptp-table" }), caption = el("p", { class: "ptp-caption" });
  const where = el("p", { class: "ptp-pill" }), none = el("p", { class: "ptp-soft ptp-none", hidden: true });
  const exhibits = el("div", { class: "ptp-exhibits" });
  const empty = el("p", { class: "ptp-panel", hidden: true, text: NONE });
  const scroll = { class: "ptp-scroll", tabindex: "0", role: "group", "aria-label": "Table of methods" };
  const body = el("div", {}, [
    el("div", { class: "ptp-figures" }, figures.map(({ box }) => box)),
    el("section", { class: "ptp-panel ptp-table-box", "aria-label": "Methods side by side" }, [
      caption, el("div", scroll, table), where,
    ]),
    none, exhibits,
  ]);
  root.append(
    leaveButton(), banner.node,
    el("div", { class: "ptp-controls" }, [
      labelled(result, "Result"), pointBox, labelled(category, "Questions"), labelled(method, "Method"),
      labelled(other, "Compare with"), tools(file),
    ]),
    empty, body, banner.spoken,
  );
  const selects = { result, point, category, method, other };
  return { ...selects, pointBox, figures, file, table, caption, where, none, exhibits, empty, body };
}

/** @param {HTMLElement} select @param {string} text */
const labelled = (select, text) => el("label", { class: "ptp-choose" }, [el("span", { text }), select]);

/** @param {HTMLElement} file */
function tools(file) {
  const tool = (/** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ title) =>
    el("button", { type: "button", "data-do": name, title, text });
  return el("div", { class: "ptp-tools" }, [
    tool("open", "Open a file", "Open a benchmark's JSON"),
    tool("csv", "CSV", "A line per question and method"),
    tool("json", "JSON", "The whole result"),
    tool("link", "Copy link", "Copy a link to this view"),
    tool("present", "Present", "Presentation mode"),
    file,
  ]);
}
