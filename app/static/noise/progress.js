// @ts-check
// How far a map is drawn, on its card.

/**
 * Shows one card at work, or none.
 * @param {import("./layout.js").View} view
 * @param {string | null} kind
 * @param {number} [share]
 */
export function showProgress(view, kind, share = 0) {
  for (const [name, { bar, fill, button }] of Object.entries(view.cards)) {
    const on = name === kind;
    bar.hidden = !on;
    button.textContent = on ? "Stop" : "Draw";
    if (on) fill.style.width = `${100 * share}%`;
  }
}
