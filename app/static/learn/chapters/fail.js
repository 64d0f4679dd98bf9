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
        "The [[u-blind]] draft is the [[baseline]]: trained on as many tokens, but never told the dice.",
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
        "Press a pair of bars: below the figure are words of that kind in their context, ✓ where the draft was " +
          "right. Where only one word can follow, drafts do best, and the dice decide nothing there.",
        "Sort by [[margin]]: where the roll lies close to the edge of its slice, a slightly wrong slice " +
          "gives another word. There both kinds of draft fail alike.",
      ],
    },
    {
      slide: "A draft must know the odds before the dice help it.",
      prose: [
        "When do the dice pay? Take the true odds of a recorded answer and spoil them bit by bit. Drag: at the " +
          "right end the draft knows the odds, and the dice make it right every time. Its likeliest word " +
          "alone is right three times in four.",
        "To the left its slices shift, the same roll falls into other words, and the dice bring nothing. " +
          "The lines meet near 70 %.",
        "And the lab's [[adapter]] of today? Over {questions} questions at temperature {temperature}, measured " +
          "{measured}, drafts told the dice made {told} [[tokens per call]]. Drafts that were not told, and said " +
          "their likeliest word, made {blind}. So the dice are worth nothing to it yet.",
        "Only a fair [[baseline]] shows that. A draft without dice that must *roll* for its word makes " +
          "{rolled}. Beside it the dice would look like a gain.",
      ],
    },
    {
      take: "A draft must know the odds before the dice help it.",
      prose: [
        "The lab's second model is small and writes Python only. Its drafts saw far more words for their size, and " +
          "know the odds better. There the dice pay: {small_told} [[tokens per call]] told, {small_blind} not told.",
        "The paper trained far longer still, and reports that its drafts pay. That is why the lab " +
          "reports both, with and without u.",
      ],
      aside: {
        prose:
          "There is another [[coupling|map from dice to words]]. In a [[race of clocks]] each word has a roll of " +
          "its own, its [[clock]], and the first clock to ring is the word. A draft that knows the odds only " +
          "roughly then finds the same word more often, because no slice pushes another aside.",
        page: "noise",
        query: "?coupling=gumbel",
        text: "See the race of clocks on the Noise page",
      },
    },
  ],
  live: { page: "acceptance", text: "All results: by position, entropy, margin, kind of question" },
  notes:
    "Do not hide this one: on the chat model the method's main idea brings nothing yet, and a " +
    "careless baseline would have hidden it. On the small Python model it does. " +
    "Let the class say why a wrong slice makes the roll useless. " +
    "Four minutes.",
};
