// @ts-check
// The words of chapter 11: your turn.
import { figure } from "../figures/turn.js";
import { appendix } from "../appendix.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "turn",
  title: "Your turn",
  figure,
  appendix,
  steps: [
    {
      ask: "What happens to a sentence of your own?",
      prose: [
        "The whole method in one line: roll first, let [[slot|slots]] say several words in one call, " +
          "check them with the same dice, go on.",
        "Try your own prompt: race it, turn its dice, or see which drafts are accepted.",
      ],
    },
    {
      take: "Roll first, write ahead, check with the same dice.",
      prose: [
        "Below: five questions with answers, the paper's figures and where they live here, and two lesson plans.",
      ],
    },
  ],
  live: { page: "race", text: "Open the Race" },
  notes:
    "Let the class choose a prompt. A list, a table or code gives the most drafts; a poem the fewest. Ask " + "why.",
};
