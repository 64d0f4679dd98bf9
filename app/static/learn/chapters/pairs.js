// @ts-check
// The words of chapter 4: a world of word pairs.
import { figure } from "../figures/pairs.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "pairs",
  title: "Two good guesses, one bad pair",
  data: ["squares"],
  figure,
  steps: [
    {
      ask: "Guess two words at once, each with perfect odds. How often do they fit together?",
      prose: [
        "Here is a language of two-word texts. Filled cells occur: “def run”, “import numpy”. All other " +
          "pairs are impossible. The darker a cell, the likelier its second word.",
        "A guesser knows the odds of each first word, and the odds of each second word. It does not know " +
          "which first word was chosen. Roll twenty pairs.",
      ],
      choices: [
        {
          text: "Nearly always",
          right: false,
          says: "Both words are good. The pair is not: more than half are nonsense.",
        },
        { text: "About every second time", right: false, says: "Even less: {apart} are nonsense in the long run." },
        { text: "Less than half the time", right: true, says: "{apart} are nonsense in the long run." },
      ],
    },
    {
      slide: "Each word is fine. The pair is nonsense.",
      prose: [
        "“import” is likely. “run” is likely. “import run” is nonsense. The second word depends on the " +
          "first, and the guesser had to guess both at once.",
        "Stubbornness helps a little: always say “{stubborn_word}”, and only {stubborn} are nonsense. But then " +
          "nine of ten words are never written. Of all guesses that ignore the first word, the one nearest to the " +
          "true odds makes {nearest}.",
      ],
    },
    {
      take: "Guessed apart, good words make nonsense: {apart} here.",
      prose: [
        "This is what stopped earlier attempts to write several words at once. Their guesses were " +
          "[[independent]]. What is missing is one piece of news: which first word was chosen. The first " +
          "die knows.",
      ],
    },
  ],
  live: { page: "noise", text: "The same square for two real words" },
  notes:
    "Ask for the pair 'import run' before rolling. The paper's own example on code finds 60 per cent of " +
    "such pairs invalid. Point at the scale: even the stubborn guesser is at {stubborn}. Three minutes.",
};
