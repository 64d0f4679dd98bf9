// @ts-check
// The words of chapter 10: tokens per call divided by the price of a call.
import { figure } from "../figures/costs.js";

/** @type {import("../section.js").Chapter} */
export default {
  id: "costs",
  title: "What it costs",
  data: ["costs"],
  figure,
  steps: [
    {
      ask: "More slots bring more tokens per call. Why not take hundreds?",
      prose: [
        "Speed is [[tokens per call]] divided by what a call costs. A call that carries many rows, " +
          "drafts and slots, costs more than a call of one row.",
        "The line is the price of a call, measured on the lab's two processor cores. The bars show what that price " +
          "makes of the paper's slots: below 1 means slower than one by one.",
      ],
      choices: [
        {
          text: "Each slot costs time",
          right: true,
          says: "On two cores a call of many rows costs several plain calls.",
        },
        {
          text: "The text would get worse",
          right: false,
          says: "Never: the check sees to that. Only time is at stake.",
        },
      ],
    },
    {
      slide: "Where wide calls are cheap, the same drafts become speed.",
      prose: [
        "Bend the curve towards flat and the same drafts pay. A graphics card can be nearly flat for some " +
          "dozens of rows: its memory is the bottleneck, not its arithmetic. " +
          "But the lab's code was never timed on one, so the figure has no such curve.",
        "So the lab measures the price on its own machine before it drafts, and drafts nothing where " +
          "that would not pay. Its [[shallow slots]] are a cheaper kind for small machines: there they write " +
          "{ahead_speed} times as fast as one by one, and {with_copies} times together with [[lookup]].",
      ],
    },
    {
      take: "Fewer calls are faster only while wide calls stay cheap.",
      prose: [
        "That is why this page counted calls until now, and why the Race shows both, calls and " + "milliseconds.",
      ],
    },
  ],
  live: { page: "race", text: "Race in milliseconds instead of calls" },
  notes:
    "Bend the curve slowly and ask when the first bar passes 1. The paper reports 2.4 times in wall " +
    "clock on GPUs, with a larger model and far longer training. Two minutes.",
};
