// @ts-check
// The words of chapter 7: one recorded call in slow motion.
import { figure } from "../figures/verify.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "verify",
  title: "Trust, but verify",
  data: ["pqd"],
  figure,
  steps: [
    {
      ask: "A real draft is wrong at times. What does a wrong draft do to the text?",
      prose: [
        "A word that was written ahead is a [[draft]]. The network that drafts has learned real language only in " +
          "part. So it is wrong at times, even with the dice known, and every draft is checked.",
        "Here is one recorded call. Four drafts wait for their check. Bet on the first wrong one.",
      ],
      choices: [
        {
          text: "It spoils the text",
          right: false,
          says: "No wrong draft ever reaches the text. Watch what happens to it.",
        },
        {
          text: "It costs time",
          right: true,
          says: "It is replaced by the model's own word, and what stood behind it is thrown away.",
        },
      ],
    },
    {
      slide: "The model checks all drafts in one call, with the same rolls.",
      prose: [
        "The unchanged model, the [[target]], reads all drafts in *one* call. For each place it lays out " +
          "its own strip and drops the *same* [[u]] on it. The word in that slice is what one-by-one " +
          "writing would have written.",
        "Is the draft the same word? It stays: [[accepted]]. At the first other word the target's own " +
          "takes its place: [[corrected]]. The drafts behind it are [[thrown away]]. If all are right, the " +
          "call gives one word more: a [[free extra]].",
      ],
    },
    {
      take: "A bad draft costs time, never quality.",
      prose: [
        "The text is the one that the target would have written alone, word for word. No draft has any say in it.",
      ],
    },
  ],
  live: { page: "race", text: "Step through a whole answer, call by call" },
  notes:
    "Take bets by show of hands. Stress that the check is an equality of words under the same roll, not " +
    "a judgement of quality. Other methods of speculative decoding keep the odds; this one keeps the " +
    "very text. Three minutes.",
};
