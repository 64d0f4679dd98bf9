// @ts-check
// Chapter 8: one call of the paper's partial quadratic decoding, with eight slots to hand out.
import { allocate, outcomes, worth } from "../allocate.js";
import { bar } from "../bar.js";
import { button, label, percent, pressable, stage, svg, word } from "../kit.js";
import { choose } from "./verify.js";

/** @param {any} place */
export function figure({ host, data: [pqd], say }) {
  const call = pqd.steps[choose(pqd.steps)],
    drafts = call.drafts.map((/** @type {any[]} */ d) => word(d[0]));
  const chances = outcomes(call.drafts.map((/** @type {any[]} */ d) => d[2])),
    g = drafts.length;
  const gains = chances.map((_, m) => (m === g ? pqd.gain : pqd.gain_rejected));
  const best = allocate(chances, gains, pqd.budget),
    zero = chances.map(() => 0);
  let slots = [...zero],
    shown = false,
    touched = false;

  const picture = stage(({ root, w, h }) => {
    const wide = w > 520,
      left = wide ? 196 : 118,
      row = Math.min(70, (h - 56) / (g + 1)),
      pad = wide ? 92 : 78;
    root.append(
      label(0, 16, wide ? "if so many are right" : "if right", { class: "f-small" }),
      label(left, 16, wide ? "chance · slots for what comes next" : "chance · slots", { class: "f-small" }),
    );
    chances.forEach((chance, m) => {
      const y = 26 + m * row,
        mid = y + row / 2,
        kept = shown && m === call.accepted;
      root.append(
        svg("rect", {
          x: 0,
          y: y + 2,
          width: w - 1,
          height: row - 5,
          rx: 8,
          class: `f-row ${kept ? "is-kept" : ""}`,
        }),
      );
      const full = m === 0 ? "none" : drafts.slice(0, m).join(" ");
      const text = wide || m < 3 ? full : `… ${drafts[m - 1]}`; // a phone has room for the last one
      const fit = Math.min(14, (left - 56) / (Math.max(6, text.length) * 0.58));
      root.append(
        label(10, mid + 5, `${m}`, { class: "f-title" }),
        label(32, mid + 5, text, { class: "f-word f-soft", style: `font-size:${fit}px` }),
      );
      const room = w - left - pad;
      root.append(
        svg("rect", {
          x: left,
          y: mid - 18,
          width: Math.max(1, chance * room),
          height: 9,
          rx: 3,
          class: "f-bar is-chance",
        }),
      );
      root.append(label(left + chance * room + 6, mid - 9, percent(chance), { class: "f-small" }));
      for (let i = 0; i < Math.max(slots[m], shown ? best[m] : 0); i++) {
        const x = left + 9 + i * 20;
        if (shown && i < best[m]) root.append(svg("circle", { cx: x, cy: mid + 10, r: 9, class: "f-slot is-best" }));
        if (i < slots[m]) root.append(svg("circle", { cx: x, cy: mid + 10, r: 6, class: "f-slot is-own" }));
      }
      [
        ["−", -1, 52],
        ["+", 1, 20],
      ].forEach(([sign, change, back]) => {
        const x = w - Number(back),
          able = Number(change) < 0 ? slots[m] > 0 : used() < pqd.budget;
        const knob = svg("g", { class: `f-knob ${able ? "" : "is-off"}` }, [
          svg("circle", { cx: x, cy: mid, r: 13 }),
          label(x, mid + 5, String(sign), { "text-anchor": "middle", class: "f-title" }),
        ]);
        root.append(
          pressable(
            knob,
            `${m}${sign}`,
            `${Number(change) > 0 ? "Add a slot to" : "Take a slot from"} the outcome ${m} right`,
            () => place(m, Number(change)),
          ),
        );
      });
    });
    const mine = worth(chances, gains, slots),
      top = worth(chances, gains, best);
    const y = h - 10;
    root.append(
      label(
        0,
        y,
        used() < pqd.budget && !shown
          ? `${pqd.budget - used()} of ${pqd.budget} slots left`
          : wide
            ? `yours brings ${mine.toFixed(2)} right drafts on average`
            : `yours ${mine.toFixed(2)} right drafts`,
        { class: "f-small f-strong" },
      ),
    );
    if (shown)
      root.append(
        label(w, y, `${wide ? "the allocator's" : "rings"} ${top.toFixed(2)}${wide ? " (rings)" : ""}`, {
          class: "f-small f-accent f-strong",
          "text-anchor": "end",
        }),
      );
    const rings = (/** @type {number} */ m) => (shown ? `, ${best[m]} of the allocator's` : "");
    const each = chances.map((c, m) => `${m} right, chance ${percent(c)}, ${slots[m]} of your slots${rings(m)}`);
    return `Outcomes and slots: ${each.join("; ")}.` + (shown ? ` In this call ${call.accepted} were right.` : "");
  });

  const used = () => slots.reduce((a, b) => a + b, 0);
  const place = (/** @type {number} */ m, /** @type {number} */ change) => {
    touched = true;
    if (change > 0 && used() >= pqd.budget) {
      line.tell(`All ${pqd.budget} slots are placed. Take one away first.`);
      return;
    }
    slots[m] = Math.max(0, slots[m] + change);
    line.tell(
      used() < pqd.budget
        ? `${pqd.budget - used()} slots left. The first slot of a row stands for the word that the check ` +
            `itself settles.`
        : "All placed. Now compare.",
    );
    picture.redraw();
  };
  const compare = () => {
    shown = true;
    const kept =
      `In this call ${call.accepted} were right, so row ${call.accepted} was kept and the others were ` + `dropped.`;
    line.tell(
      `The allocator gives ${best
        .map((n, m) => (n ? `${n} to row ${m}` : ""))
        .filter(Boolean)
        .join(", ")}. ${kept}`,
    );
    picture.redraw();
    say(picture.said());
  };
  const line = bar(
    [
      button(
        "Compare with the allocator",
        () => {
          touched = true;
          compare();
        },
        { class: "learn-lit" },
      ),
    ],
    `Hand out ${pqd.budget} slots with the + buttons.`,
  );
  host.append(picture.box, line);
  return {
    show: (/** @type {number} */ step) => {
      if (step > 0 && !shown && !touched) compare();
      else picture.redraw();
    },
    picture: () => picture.root,
  };
}
