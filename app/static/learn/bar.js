// @ts-check
// The line under a figure: its one lit control, what else may be pressed, and a sentence.
import { el } from "./kit.js";
import { inline } from "./prose.js";

/** @param {any[]} controls @param {string} [text] @returns its node, with `tell(text)` to change the sentence */
export function bar(controls, text = "") {
  const sentence = el("p", { class: "learn-says" }, inline(text));
  const tell = (/** @type {string} */ next) => sentence.replaceChildren(...inline(next));
  return Object.assign(el("div", { class: "learn-bar" }, [...controls, sentence]), { tell });
}
