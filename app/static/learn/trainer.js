// @ts-check
// Training the lab's slots on the server: one run a visitor, streamed measurement by measurement, with Stop.
import { MAX_SEED } from "../core/shared.js";
import { button, el } from "./kit.js";

const CHOICES = [
  ["o-ptp", "O-PTP"],
  ["c-ptp", "C-PTP"],
  ["inverse", "C-PTP from texts alone"],
  ["independent", "not told u₁"],
];

/**
 * @typedef {{train: (options: any, heard: (event: any) => void) => void, stop: () => void, cut: string | null}} Server
 * cut: what to say of a run that ended with the page before this one
 * @param {Server | null} server null in the static copy
 * @param {import("./world.js").World} world @param {(run: {variant: string, frames: any[]} | null) => void} show
 */
export function trainer(server, world, show) {
  const node = el("div", { class: "learn-bar learn-trainer", hidden: true });
  if (!server) return node;
  const kind = el(
    "select",
    { "aria-label": "What to train" },
    CHOICES.map(([value, text]) => el("option", { value, text })),
  );
  const seed = el("input", { type: "number", min: 0, max: MAX_SEED, value: 0, "aria-label": "Seed of the training" });
  const says = el("p", {
    class: "learn-says",
    "aria-live": "polite",
    text: server.cut || "Recorded runs are shown. Start one of your own: half a minute on the server.",
  });
  let frames = /** @type {any[]} */ ([]),
    busy = false;
  const start = button("Train on the server", () => {
    if (busy) {
      server.stop();
      return;
    }
    busy = true;
    frames = [];
    start.textContent = "Stop";
    says.textContent = "Waiting for a turn: runs of all visitors take turns on the server.";
    server.train({ variant: kind.value, seed: Number(seed.value) || 0 }, heard);
  });
  const back = button(
    "Show the recorded runs",
    () => {
      show(null);
      back.hidden = true;
    },
    { hidden: true },
  );

  /** @param {any} event */
  function heard(event) {
    if (event.kind === "step") {
      frames.push(event.step);
      says.textContent =
        `Step ${event.step.step} of ${event.steps}: ${(100 * event.step.invalid).toFixed(1)} % nonsense, ` +
        `loss ${event.step.loss.toFixed(3)}.`;
      show({ variant: event.variant, frames: [...frames] });
    } else if (event.kind === "waiting") says.textContent = event.text;
    else if (event.kind === "done") {
      busy = false;
      start.textContent = "Train on the server";
      back.hidden = frames.length === 0;
      says.textContent = event.text;
    }
  }
  node.append(kind, el("label", {}, ["seed ", seed]), start, back, says);
  return node;
}
