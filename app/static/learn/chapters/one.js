// @ts-check
// The words of chapter 1: six words, six calls.
import { figure } from "../figures/one.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "one",
  title: "One at a time",
  data: ["dice"],
  figure,
  steps: [
    {
      ask: "Six words are to be written. How many calls can run at the same time?",
      prose: [
        "Press the button, call by call. A row is one [[call]] of the model. It reads the words that are " +
          "there and gives one more.",
      ],
      choices: [
        {
          text: "All six",
          right: false,
          says: "Call 2 must read word 1, and word 1 is not there before call 1 ends.",
        },
        { text: "Two", right: false, says: "Even two cannot: the second would read a word that does not exist yet." },
        { text: "One", right: true, says: "Each call reads the word that the call before it wrote." },
      ],
    },
    {
      slide: "A staircase: every call waits for the one above.",
      prose: [
        "This staircase is how most chat models write. A graphics card could work on many rows at once, but here " +
          "each row needs the one above.",
        "On such a card a call for one word can take nearly as long as a call for several. " +
          "Then most of the card is idle.",
      ],
    },
    {
      take: "Each call waits for the word before it.",
      prose: [
        "To write ahead, a call would need to know which word the call before it will choose. So let us " +
          "see how a word is chosen.",
      ],
    },
  ],
  live: { page: "race", text: "See the staircase of a whole answer, in the left lane" },
  notes:
    "Press six times and let the class count aloud. Stress that nothing is slow about the model here: it " +
    "waits for itself. Two minutes.",
};
