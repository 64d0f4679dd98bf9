// @ts-check
// The words of chapter 6: one network, its own roll given or withheld.
import { figure } from "../figures/flavours.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "flavours",
  title: "Two flavours",
  data: ["squares"],
  figure,
  steps: [
    {
      ask: "The network knows u₁. What changes when it is told its own roll, u₂, as well?",
      prose: [
        "One more network, trained in your browser. In half of its lessons it was told u₂, in the other " +
          "half it was not.",
        "Now both rolls are given. The network puts nearly everything on one word.",
      ],
      choices: [
        {
          text: "It can name the word",
          right: true,
          says: "With all rolls known the word is fixed. There is one right answer.",
        },
        {
          text: "It gets the odds right",
          right: false,
          says: "It could do that before. With u₂ it can do more: name the word.",
        },
      ],
    },
    {
      slide: "Withhold its own roll, and it answers with odds.",
      prose: [
        "Withhold u₂ and the same network spreads out. It gives the odds of the second word, given the " +
          "first roll. The ticks are the truth.",
        "The first kind is called [[O-PTP]], for one-hot. The second is [[C-PTP]], for categorical. With " +
          "C-PTP, [[Pick]] still makes the choice afterwards.",
        "The paper proves that both can be exact: no dependency between words is out of reach of one call.",
      ],
    },
    {
      take: "O-PTP says which word. C-PTP says with which odds.",
      prose: [
        "The odds have a use of their own: they tell how sure a [[draft]] is. O-PTP must learn that separately.",
      ],
    },
  ],
  live: { page: "noise", text: "Compare target and draft on a real text" },
  notes:
    "Flip the switch a few times at one place. Then drag to an edge: the bar splits, because " +
    "the network is unsure where exactly the slice ends. Two minutes.",
};
