// @ts-check
// Below the last chapter: five questions with answers, the paper's figures, two lesson plans.
import { el } from "./kit.js";
import { inline } from "./prose.js";

const FIGURES = [
  [
    "Figure 1",
    "one by one against PTP, step by step",
    [
      ["race", "Race"],
      ["#trick", "chapter 0"],
    ],
  ],
  [
    "Figure 3",
    "histogram, staircase, u dropped on it",
    [
      ["noise", "Noise"],
      ["#roll", "chapter 2"],
    ],
  ],
  [
    "Figure 4",
    "the unit square: world, PTP, independent",
    [
      ["noise", "Noise"],
      ["#sharpen", "chapter 5"],
    ],
  ],
  ["Opening picture", "dice after the network, dice before it", [["#first", "chapter 3"]]],
  [
    "Branches",
    "partial quadratic decoding, drawn",
    [
      ["race", "Race"],
      ["#branches", "chapter 8"],
    ],
  ],
];

export const QUESTIONS = [
  [
    "Why must ordinary writing wait after every word?",
    "Because the next call reads the word that was chosen last, and the choice is made only after its call.",
  ],
  [
    "What makes the text a function?",
    "Rolling before the first call. With the rolls fixed, each word is Pick(u, P), and P follows from " +
      "the words before.",
  ],
  [
    "Why do two good guesses make a bad pair?",
    "Each guess has the right odds alone, but the second word depends on the first. Apart, nobody knows " +
      "which first word was chosen. The first roll tells.",
  ],
  [
    "Can a wrong draft change the text?",
    "No. The unchanged model picks with the same roll at each place, and the first draft that differs is " +
      "replaced by its word.",
  ],
  [
    "When do the dice not help a draft?",
    "When it does not know the odds well. Its slices then lie elsewhere, and the same roll falls into " +
      "another word. Then its likeliest word is as good a draft.",
  ],
];

/**
 * What stands below the last step: questions, figures of the paper, lesson plans.
 * @param {Record<string, string> | null} links
 */
export function appendix(links) {
  const where = (/** @type {string[]} */ [target, name]) => {
    if (target.startsWith("#")) return el("a", { href: target, text: name });
    return links
      ? el("a", { href: links[target], text: `${name} page` })
      : el("span", { text: `${name} page of the lab` });
  };
  const plan = (/** @type {string} */ title, /** @type {string[][]} */ rows) =>
    el("details", { class: "learn-plan" }, [
      el("summary", { text: title }),
      el(
        "table",
        {},
        el(
          "tbody",
          {},
          rows.map(([time, what]) =>
            el("tr", {}, [el("th", { scope: "row", text: time }), el("td", {}, inline(what))]),
          ),
        ),
      ),
    ]);
  return el("div", { class: "learn-appendix" }, [
    el("h3", { text: "Five questions" }),
    ...QUESTIONS.map(([question, answer]) =>
      el("details", { class: "learn-question" }, [el("summary", { text: question }), el("p", { text: answer })]),
    ),
    el("h3", { text: "The paper's figures, alive" }),
    el(
      "div",
      { class: "learn-scroll" },
      el("table", { class: "learn-figures" }, [
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["in the paper", "what it shows", "here"].map((text) => el("th", { scope: "col", text })),
          ),
        ),
        el(
          "tbody",
          {},
          FIGURES.map(([name, shows, places]) =>
            el("tr", {}, [
              el("th", { scope: "row", text: name }),
              el("td", { text: shows }),
              el(
                "td",
                {},
                /** @type {any} */ (places).flatMap((/** @type {string[]} */ p, /** @type {number} */ i) => [
                  i ? ", " : "",
                  where(p),
                ]),
              ),
            ]),
          ),
        ),
      ]),
    ),
    el("h3", { text: "For teachers" }),
    el("p", {
      text:
        "“Present from here” under each figure turns the page into slides: Space or the arrows go on, N " +
        "shows notes, Escape leaves. Every figure can be saved as SVG or PNG.",
    }),
    plan("A lesson of ten minutes", TEN),
    plan("A lesson of forty-five minutes", LONG),
  ]);
}

export const TEN = [
  ["0–1 min", "Chapter 0. Let the race play. Ask: how can that be?"],
  ["1–2 min", "Chapter 1. Six calls, counted aloud."],
  ["2–4 min", "Chapter 2. Drag the needle across an edge. Write `token = Pick(u, P)` on the board."],
  ["4–6 min", "Chapter 3. Turn one die. Say the sentence: text is a function of prompt and dice."],
  ["6–8 min", "Chapter 5. Press Train, stay silent until the columns appear."],
  ["8–10 min", "Chapter 7. Take bets on the first wrong draft. Close: a bad draft costs time, never quality."],
];

export const LONG = [
  ["0–5 min", "Chapters 0 and 1. Collect ideas about how a word could come early, and leave them on the board."],
  ["5–12 min", "Chapter 2. In pairs: roll 200 times, compare counts with widths, explain Pick to each other."],
  [
    "12–18 min",
    "Chapter 3. Each pair looks for two dice that give the same text, and for one die that changes everything.",
  ],
  [
    "18–24 min",
    "Chapter 4. Guess the share of nonsense before rolling. Why is the stubborn guesser better, and why " +
      "is it useless?",
  ],
  ["24–31 min", "Chapters 5 and 6. Train. Which network can know the column? What does the switch change?"],
  ["31–36 min", "Chapters 7 and 8. Bets on the first wrong draft; a contest for the best eight slots."],
  ["36–41 min", "Chapters 9 and 10. When do the dice help? When do fewer calls save time?"],
  [
    "41–45 min",
    "Five questions below, in writing. Homework: one prompt of your own in the Race, and one sentence on " +
      "what you saw.",
  ],
];
