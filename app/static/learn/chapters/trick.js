// @ts-check
// The words of chapter 0: a recorded race, counted in model calls.
import { figure } from "../figures/trick.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "trick",
  title: "The trick",
  data: ["race"],
  figure,
  steps: [
    {
      ask: "The same answer is written twice. Why does parallel token prediction need so few calls?",
      prose: [
        "A language model writes with [[token|tokens]], pieces of a word or whole words. The usual way " +
          "is one token for each [[call]] of the model.",
        "Watch the recorded race. In the second text each shaded block came out of a single call.",
      ],
      choices: [
        { text: "It skips words", right: false, says: "Nothing is skipped. Both texts agree token for token." },
        {
          text: "It guesses, and the guesses are checked",
          right: true,
          says: "The question is how it can guess so well, and who checks. That is what this page is about.",
        },
        {
          text: "It uses a faster computer",
          right: false,
          says: "Both texts were written on the same machine. Here we count calls, not seconds.",
        },
      ],
    },
    {
      slide: "The same text, in a fraction of the calls.",
      prose: [
        "The first way is called [[autoregressive]]: it reads its own last word before it writes the next one.",
        "The second is [[PTP|parallel token prediction]]. It writes words before the words in front of them " +
          "exist. That should sound impossible.",
      ],
    },
    {
      take: "The same text in a fraction of the calls. How can a word be written before the one in front of it?",
      prose: ["The next chapters build the answer from one die."],
    },
  ],
  live: { page: "race", text: "Run this race with your own prompt" },
  notes:
    "Let the race play without a word. Ask the class what a shaded block is. Collect ideas about how " +
    "a word could come before its neighbour; do not resolve them yet. One minute.",
};
