// @ts-check
// The words of chapter 3: eight dice above eight blanks.
import { figure } from "../figures/first.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "first",
  title: "Roll first, write later",
  data: ["dice"],
  figure,
  steps: [
    {
      ask: "Throw all eight dice before the first word is written. What is left to decide?",
      prose: [
        "Here are eight dice, thrown in advance. The first die picks the first word, the second die the second, " +
          "and so on. A 1 puts [[u]] into the first sixth of the strip, a 6 into the last.",
        "Turn a die and see which words change.",
      ],
      choices: [
        {
          text: "Each word still is",
          right: false,
          says: "Each word is Pick(u, P). Its u lies on the table, and P follows from the words before.",
        },
        {
          text: "Nothing",
          right: true,
          says: "Prompt and dice fix the text. Throw the same dice and the same text appears.",
        },
      ],
    },
    {
      slide: "Turn one die: words behind it may change, words before it never do.",
      prose: [
        "Turn die 3 and word 3 may change. Everything behind it may change too, since later words read " +
          "it. Nothing before it moves.",
        "We asked the model for every throw of these eight dice, all {throws}. What you see is what it wrote.",
      ],
    },
    {
      take: "Text is a function of prompt and dice, and a function can be learned.",
      prose: [
        "So a network that is *told the dice* could give word 8 without waiting for words 1 to 7. Nobody " +
          "says that this is easy. But now it is possible.",
      ],
    },
  ],
  live: { page: "noise", text: "Turn the dice under your own text" },
  notes:
    "The key slide. Let someone call out a die and a face. Say it twice: text is a function of prompt " +
    "and dice. Without the dice it is a lottery, with the dice it is a table look-up. Three minutes.",
};
