// @ts-check
// From a bar to the questions behind it, and from each of them to its race.

import { itemName } from "../charts/axes.js";
import { calm, el, find } from "../core/dom.js";
import { counted, direction, flow, plain } from "../core/text.js";
import { askServer, choice, inWords, otherCategory } from "./results.js";

/** @typedef {import("./results.js").Page} Page */
/** @typedef {import("./exhibits.js").Card} Card */
/** @typedef {{ total: number, same_model: boolean, questions: Question[] }} Found */
/** @typedef {{ category: string, prompt: string, text: string, says: string, tokens: number, calls: number,
 *              seed: number, link: string | null }} Question */

const OTHER_MODEL = " The Race runs the lab's own model in float32. This result has another, so the text differs.";

/**
 * Shows the questions behind a bar.
 * @param {Page} page
 * @param {Card} one
 * @param {number} index
 * @param {number} series 1: of the exhibit that it is compared with
 */
export async function showBehind(page, one, index, series) {
  const { state, banner } = page, { node, exhibit, other } = one, turn = state.asked;
  const item = (series && other ? other : exhibit).items[index], name = itemName(exhibit, item);
  const source = series ? { ...state.other, category: otherCategory(state) }
    : { ...choice(state), category: state.category };
  const box = el("div", {
    class: "ptp-behind", tabindex: "-1", role: "region", "aria-label": `Questions behind ${name}`,
  }, el("p", { class: "ptp-soft", text: "Looking …" }));
  find(node, ".ptp-behind")?.remove();
  node.append(box);
  const found = await askServer(page, "fetch_questions", { ...source, exhibit: exhibit.id, index });
  if (turn !== state.asked || !box.isConnected) return;
  if (found.error) box.replaceChildren(el("p", { class: "ptp-soft", text: found.error }));
  else box.replaceChildren(...questions(`${one.names[series]}, ${name}: `, found));
  box.focus({ preventScroll: true });
  box.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
  banner.announce(found.error || `${counted(found.total, "question")} behind ${name}.`);
}

/**
 * @param {string} title
 * @param {Found} found
 */
function questions(title, { total, same_model: sameModel, questions: list }) {
  const some = total > list.length ? `, the first ${list.length} shown` : "", note = sameModel ? "" : OTHER_MODEL;
  const words = `${counted(total, "question")}${some}. Open one to see its race.${note}`;
  return [
    el("button", { type: "button", class: "ptp-close", "aria-label": "Close the questions", text: "×" }),
    el("p", { class: "ptp-behind-head" }, [el("b", { text: title }), el("span", { text: words })]),
    el("ol", {}, list.map(question)),
  ];
}

/** @param {Question} one */
function question({ category, prompt, text, says, tokens, calls, seed, link }) {
  const facts = `${inWords(category)} · ${tokens} tokens in ${calls} calls · seed ${seed}`;
  const label = `Open the race of: ${plain(prompt.slice(0, 80))}`;
  return el("li", {}, [
    el("div", { class: "ptp-q-head" }, [
      el("span", { class: "ptp-q-count", text: says }), el("span", { class: "ptp-soft", text: facts }),
      link
        ? el("a", { href: `./?${link}`, text: "Open its race", "aria-label": label })
        : el("span", { class: "ptp-soft", text: "no race: its settings are beyond the Race page" }),
    ]),
    el("p", { class: "ptp-q-prompt", dir: direction(prompt) }, flow(prompt)),
    text ? el("p", { class: "ptp-q-text", dir: direction(text) }, flow(text)) : null,
  ]);
}

/** Closes the questions and goes back to their bar. @param {Element | null} section of the exhibit */
export function closeBehind(section) {
  if (!section) return;
  find(section, ".ptp-behind")?.remove();
  find(section, ".ptp-mark.is-chosen")?.focus();
}
