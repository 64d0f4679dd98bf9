// @ts-check
// The words of chapter 8: one call of the paper's partial quadratic decoding, with eight slots to hand out.
import { figure } from "../figures/branches.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "branches",
  title: "Draft while you verify",
  data: ["pqd"],
  figure,
  steps: [
    {
      ask: "Checking and drafting take turns. Could one call do both?",
      prose: [
        "While the target checks four drafts, nobody knows yet how many will turn out right. But there " +
          "are only five outcomes: 0, 1, 2, 3 or 4 right.",
        "So the same call can carry a [[branch]] of [[slot|slots]] for each outcome. You have a " +
          "[[budget]] of {slots} slots. The first in a row is only a [[placeholder]], so give a row two or more.",
      ],
      choices: [
        {
          text: "No, the drafts must be checked first",
          right: false,
          says: "One can prepare for every outcome of the check, and keep the branch that comes true.",
        },
        {
          text: "Yes, by preparing for each outcome",
          right: true,
          says: "The branch that comes true is kept, the rest is dropped.",
        },
      ],
    },
    {
      slide: "One branch per outcome. Slots go where they are likely to be used.",
      prose: [
        "Each outcome has a [[chance]], worked out from how sure the drafts are. The rings are the slots " +
          "that the lab's [[allocator]] handed out in this recorded call.",
        "Why does a branch of one slot bring nothing? Its first slot stands for the word that the check itself " +
          "settles. Only the slots behind it draft something new.",
        "The paper calls this partial quadratic decoding, [[PQD]].",
      ],
    },
    {
      take: "Prepare for every outcome, and spend most on the likely ones.",
      prose: ["Then every call both checks and drafts, and no call is spent on drafts alone."],
    },
  ],
  live: { page: "race", query: "?method=pqd&draft_budget=8", text: "Race with branches on your own prompt" },
  notes:
    "Let one student place all eight on the likeliest row, another spread them. Compare the two " +
    "averages. The best is in between. The diagram is the paper's picture of its branches. Four minutes.",
};
