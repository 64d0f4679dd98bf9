// @ts-check
// The line above a view that says what is going on, and the same for screen readers.

import { el } from "./dom.js";

/** @typedef {"busy" | "info" | "error"} Kind */

export class Banner {
  /** @param {{ busy?: string, tools?: Node[] }} [look] busy: the class of a line that will go by itself */
  constructor({ busy = "is-busy", tools = [] } = {}) {
    this.busy = busy;
    this.text = el("span");
    this.bar = el("i");
    this.close = el("button", { type: "button", class: "ptp-close", "aria-label": "Dismiss", text: "×" });
    this.close.addEventListener("click", () => { this.node.hidden = true; });
    this.node = el("div", { class: "ptp-banner", hidden: true }, [this.text, ...tools, this.close, this.bar]);
    this.spoken = el("p", { class: "ptp-spoken", "aria-live": "polite" });
  }

  /**
   * Shows a line, or hides it. What stays until it is dismissed is spoken as well.
   * @param {string | null} text
   * @param {Kind} [kind]
   * @param {number} [share] how much is done, 0 to 1
   */
  say(text, kind = "busy", share) {
    this.node.hidden = !text;
    this.node.className = `ptp-banner ${kind === "busy" ? this.busy : `is-${kind}`}`;
    this.text.textContent = text || "";
    this.close.hidden = kind === "busy";
    this.bar.style.width = share === undefined ? "0" : `${100 * share}%`;
    if (kind !== "busy" && text) this.announce(text);
  }

  /**
   * Tells how far a model is loaded.
   * @param {{ text: string, share: number }} event
   */
  loading({ text, share }) {
    this.say(`${text} … ${Math.round(100 * share)} %`, "busy", share);
  }

  /** @param {string} text */
  announce(text) {
    this.spoken.textContent = text;
  }
}
