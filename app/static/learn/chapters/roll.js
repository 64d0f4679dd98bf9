// @ts-check
// The words of chapter 2: the strip of slices and its needle.
import { figure } from "../figures/roll.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "roll",
  title: "A roll picks the word",
  data: ["strip"],
  figure,
  steps: [
    {
      ask: "The model gives odds, not a word. Who makes the choice?",
      prose: [
        "For the next word the model gives a [[distribution]]: {odds}, and so on. Lay " +
          "the odds side by side and you get a strip from 0 to 1. Each word owns a [[slice]].",
        "Now roll a number [[u]] between 0 and 1: the needle. Drag it with the slider into another slice and watch " +
          "the sentence.",
      ],
      choices: [
        {
          text: "The model",
          right: false,
          says: "The model stops at the odds. Ask twice and you get the same odds.",
        },
        {
          text: "The roll",
          right: true,
          says: "The word whose slice holds u is written. Same odds, same u, same word.",
        },
      ],
    },
    {
      slide: "Counts become widths: a slice that is twice as wide is hit twice as often.",
      prose: [
        "Two hundred rolls rain down. A column that ends at the dashed line was hit just as often as its width " +
          "promises. Thin slices need more rolls to get there.",
        "So a wide slice is hit more often, and rolling is fair to the odds.",
        "We write this as `token = Pick(u, P)`. P is the distribution, u the roll, and [[Pick]] looks up " +
          "the slice.",
      ],
    },
    {
      take: "Once u is known, nothing is left to chance: token = Pick(u, P).",
      prose: ["The usual program rolls *after* the call. Nothing forces it to."],
    },
  ],
  live: { page: "noise", text: "Move the roll under a real answer" },
  notes:
    "Drag slowly across an edge: nothing, nothing, then a different word. That jump is all the " +
    "randomness there is. The paper draws the same as a staircase. Three minutes.",
};
