// @ts-check
// The words of chapter 9: where drafts fail.
import { figure } from "../figures/fail.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "fail",
  title: "Where drafts fail",
  data: ["results", "pqd"],
  figure,
  steps: [
    {
      ask: "One draft was told the dice. The other was not. Which one is right more often?",
      prose: [
        "Here are the lab's shipped results, draft by draft, on real questions. Open places, where many " +
          "words could follow, have a high [[entropy]] and stand to the right.",
        "The [[u-blind]] draft is the [[baseline]]: trained on as much text, but never told the dice.",
      ],
      choices: [
        {
          text: "Told the dice, by far",
          right: false,
          says: "That is what the toy world promises. Real text is harder to know: read on.",
        },
        {
          text: "It depends on how well it knows the odds",
          right: true,
          says: "That is the finding of this chapter.",
        },
      ],
    },
    {
      slide: "Where the choice is open, every draft fails more often.",
      prose: [
        "Press a pair of bars: below the figure are words of that kind in their context. Where only one " +
          "word can follow, drafts do best, and the dice decide nothing there.",
        "Sort by [[margin]]: where the roll lies close to the edge of its slice, a slightly wrong slice " +
          "gives another word. There both kinds of draft fail alike.",
      ],
    },
    {
      slide: "A draft must know the odds before the dice help it.",
      prose: [
        "How must a draft be made for the dice to pay? Take real distributions of a recorded answer and " +
          "spoil them bit by bit. At the right end the draft knows the odds, and the dice make it right " +
          "every time. Its likeliest word alone is right three times in four.",
        "To the left its slices shift, the same roll falls into other words, and the dice bring nothing. " +
          "The lines meet near 70 %.",
        "The lab's adapter of today stands about there. On held-out chats its [[shallow slots]] were right " +
          "53.5 % of the time when they read [[u]]. They were right 53.9 % when they ignored it and said " +
          "their likeliest word. At temperature 0.7 the dice are worth nothing to it.",
        "Only a fair [[baseline]] shows that. A draft without dice that must *roll* for its word looks weaker " +
          "than it is.",
      ],
    },
    {
      take: "A draft must know the odds before the dice help it.",
      prose: [
        "The paper's drafts come from far longer training, and there they do pay. That is why the lab " +
          "reports both, with and without u.",
      ],
    },
  ],
  live: { page: "acceptance", text: "All results: by position, entropy, margin, kind of question" },
  notes:
    "Do not hide this one: with today's small adapter the method's main idea brings nothing yet, and a " +
    "careless baseline would have hidden it. Let the class say why a wrong slice makes the roll useless. " +
    "Four minutes.",
};
