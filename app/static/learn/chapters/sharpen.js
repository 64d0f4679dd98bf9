// @ts-check
// The words of chapter 5: the square sharpens.
import { figure } from "../figures/sharpen.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "sharpen",
  title: "The square sharpens",
  data: ["squares"],
  figure,
  steps: [
    {
      ask: "Two networks must give the second word. One is told the first roll, u₁. What will it gain?",
      prose: [
        "Every point of the square is a throw: [[u|u₁]] to the right, u₂ upwards. The world's own " +
          "picture is on the left. Each box is a pair of words, and its area is the pair's probability. " +
          "This is the [[unit square]].",
        "Two small networks know nothing yet. Both must give the *second* word without seeing the first. " +
          "One is told both rolls. The other can only learn odds, and u₂ picks from them. Hatched means nonsense.",
      ],
      choices: [
        {
          text: "Nothing: u₁ is only noise",
          right: false,
          says: "u₁ decides the first word. Whoever knows u₁ can work out the first word.",
        },
        {
          text: "It can find the right pairs",
          right: true,
          says: "From u₁ it can learn which first word was chosen, and so which second words fit.",
        },
      ],
    },
    {
      slide: "Told the first roll, the second word is no guess any more.",
      prose: [
        "The training runs in this tab, in plain JavaScript, in a few seconds. After some twenty steps " +
          "the network that is told u₁ shows columns, then boxes.",
        "The other one learns the right odds of the second words. It can do no better, because it does " +
          "not know the first. Its boxes run straight through all columns, and more than half of it is " +
          "nonsense.",
      ],
    },
    {
      slide: "The same with the lab's own model parts: hardly any nonsense, except for the one that is not told.",
      prose: [
        "Now the lab's own code on the same small world: a Transformer, the kind of network that chat models are. " +
          "Where a word is to come, its input holds the roll instead. Such a row is a [[slot]]. Drag through " +
          "its training.",
        "Its two kinds, [[O-PTP]] and [[C-PTP]], come in the next chapter. They and " +
          "[[inverse autoregressive training]], which sees texts alone, end at {told_most} nonsense or less. " +
          "The one that is not told u₁ ends at {untold}.",
        "In the running lab you can start such a training on the server yourself.",
      ],
    },
    {
      take: "With the dice as input, the second word is no guess any more.",
      prose: ["So one call can write several words that fit together. That is [[PTP|parallel token prediction]]."],
    },
  ],
  live: { page: "noise", text: "See the square of two real tokens" },
  notes:
    "Press Train and stay silent until the columns appear. The paper's Figure 4 is this square for a " +
    "real model. If asked why the browser's network is not always right: it reads each roll in coarse notches. " +
    "Four minutes.",
};
