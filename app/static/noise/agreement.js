// @ts-check
// The exhibits under the cards: how often drafts agree with the target, by the map from noise to tokens.

import { chart } from "../charts/index.js";
import { chartKey, chartKeyWords } from "../charts/key.js";
import { saveChart } from "../charts/picture.js";
import { closest, el } from "../core/dom.js";
import { ask } from "../core/run.js";

/** @typedef {import("../charts/axes.js").Exhibit} Exhibit */

/** Asks for them and draws them when the visitor opens the panel. @param {import("./history.js").Page} page */
export function listenToAgreement({ view: { agreement: panel }, server, banner }) {
  let asked = false;
  panel.addEventListener("toggle", async () => {
    if (!panel.open || asked) return;
    asked = true;
    const found = await ask(server, "agreement", {}, "The server did not answer. Close the panel and open it again.");
    if (found.error) {
      asked = false;
      banner.say(found.error, "error");
      return;
    }
    for (const exhibit of found.exhibits) { // a chart takes the width that its box has on the page
      const figure = el("div", { class: "ptp-figure-box" });
      panel.append(section(exhibit, figure));
      chart(figure, exhibit, null, () => {});
    }
  });
}

/** @param {Exhibit} exhibit @param {HTMLElement} figure */
function section(exhibit, figure) {
  const tools = ["png", "svg"].map((format) => el("button", {
    type: "button", class: "ptp-save", "data-format": format, text: format.toUpperCase(),
    "aria-label": `Save “${exhibit.title}” as ${format.toUpperCase()}`,
  }));
  const node = el("section", { class: "ptp-exhibit", "aria-label": exhibit.title }, [
    el("div", { class: "ptp-exhibit-head" }, [el("h3", { text: exhibit.title }), ...tools]),
    el("p", { class: "ptp-what", text: exhibit.what }), chartKey(exhibit, []), figure,
    el("p", { class: "ptp-says", text: exhibit.says }),
    el("p", { class: "ptp-try" }, [el("b", { text: "Try: " }), el("span", { text: exhibit.try })]),
  ]);
  node.addEventListener("click", (event) => {
    const format = closest(event, "button")?.dataset.format;
    const sentences = [exhibit.title, chartKeyWords(exhibit, []), exhibit.says];
    if (format) saveChart(figure, sentences, `ptp-${exhibit.id}`, format);
  });
  return node;
}
