// @ts-check
// Chapter 2: the strip of slices and its needle. Two hundred rolls rain into it until the counts become the widths.
import { bar } from "../bar.js";
import { button, calm, chance, label, percent, pick, slider, stage, svg, timers, word } from "../kit.js";

const ROLLS = 200,
  SHOWN = 7;

/** @param {any} place */
export function figure({ host, data: [strip], say }) {
  const words = strip.words.map((/** @type {any[]} */ w) => word(w[0])),
    odds = strip.words.map((/** @type {any[]} */ w) => w[1]);
  const total = odds.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0);
  const P = odds.map((/** @type {number} */ p) => p / total);
  const edges = [0];
  P.forEach((/** @type {number} */ p, /** @type {number} */ i) => edges.push(edges[i] + p));
  const counts = new Array(P.length).fill(0),
    clock = timers();
  let u = 0.3,
    rolls = 0,
    random = chance(5),
    rained = false;

  const picture = stage(({ root, w, h }) => {
    const chosen = pick(P, u),
      x = (/** @type {number} */ v) => v * w,
      top = 92,
      tall = 62,
      floor = h - 26;
    root.append(label(0, 22, `${strip.prompt} `, { class: "f-sentence" }));
    root.append(
      label(Math.min(w - 8 * words[chosen].length - 4, 8.2 * (strip.prompt.length + 1)), 22, words[chosen], {
        class: "f-sentence f-accent f-strong",
      }),
    );
    P.forEach((/** @type {number} */ p, /** @type {number} */ i) => {
      const left = x(edges[i]),
        width = x(p);
      root.append(
        svg("rect", {
          x: left,
          y: top,
          width: Math.max(0.5, width - 1),
          height: tall,
          class: `f-slice ${i === chosen ? "is-own" : ""}`,
        }),
      );
      if (i < SHOWN && width > 7.6 * words[i].length + 6) {
        root.append(label(left + 6, top + 24, words[i], { class: "f-word" }));
        root.append(label(left + 6, top + 44, percent(p), { class: "f-small" }));
      }
    });
    root.append(svg("line", { x1: x(u), x2: x(u), y1: 56, y2: top + tall + 6, class: "f-needle" }));
    const side = u > 0.8 ? "end" : u < 0.12 ? "start" : "middle";
    root.append(label(x(u), 50, `u = ${u.toFixed(2)}`, { class: "f-title", "text-anchor": side }));
    root.append(
      label(0, top + tall + 22, "0", { class: "f-small" }),
      label(w, top + tall + 22, "1", { class: "f-small", "text-anchor": "end" }),
    );
    // how often each slice was hit, as a column of the slice's own width: equal heights mean fair
    const base = floor,
      room = Math.max(40, base - (top + tall + 48));
    const expected = room * 0.72;
    root.append(svg("line", { x1: 0, x2: w, y1: base - expected, y2: base - expected, class: "f-line is-dashed" }));
    root.append(
      label(0, top + tall + 42, "dashed: hit as often as the width promises", { class: "f-small f-halo" }),
    );
    P.forEach((/** @type {number} */ p, /** @type {number} */ i) => {
      const share = rolls ? counts[i] / rolls : 0,
        tall2 = Math.min(room, (share / p) * expected);
      root.append(
        svg("rect", {
          x: x(edges[i]),
          y: base - tall2,
          width: Math.max(0.5, x(p) - 1),
          height: tall2,
          class: `f-rain ${i === chosen ? "is-own" : ""}`,
        }),
      );
      if (rolls && i < SHOWN && x(p) > 40)
        root.append(
          label(x(edges[i]) + x(p) / 2, base + 18, `${counts[i]}`, { class: "f-small", "text-anchor": "middle" }),
        );
    });
    if (!rolls) root.append(label(w / 2, base - 16, "no rolls yet", { class: "f-small", "text-anchor": "middle" }));
    return (
      `u = ${u.toFixed(2)} falls into the slice of "${words[chosen]}", which is ${percent(P[chosen])} wide. ` +
      (rolls
        ? `${rolls} rolls: "${words[0]}" came ${counts[0]} times, its width promises ${Math.round(P[0] * rolls)}.`
        : "")
    );
  });

  const roll = () => {
    u = random();
    counts[pick(P, u)] += 1;
    rolls += 1;
  };
  const rain = (/** @type {boolean} */ quick) => {
    clock.stop();
    counts.fill(0);
    rolls = 0;
    random = chance(5);
    const drop = (/** @type {number} */ n) => {
      for (let i = 0; i < n && rolls < ROLLS; i++) roll();
      drag.value = String(u);
      picture.redraw();
      if (rolls < ROLLS) clock.after(30, () => drop(rolls < 12 ? 1 : 3));
      else {
        line.tell(told());
        say(picture.said());
      }
    };
    drop(quick ? ROLLS : 1);
  };
  const told = () => `Pick(${u.toFixed(2)}, P) = “${words[pick(P, u)]}”`;
  const drag = slider(
    { title: "The roll u", min: 0, max: 0.999, step: 0.001, value: u, class: "learn-lit" },
    (value) => {
      clock.stop();
      u = value;
      line.tell(told());
      picture.redraw();
    },
  );
  const line = bar([drag, button(`Roll ${ROLLS} times`, () => rain(calm()))], told());
  host.append(picture.box, line);
  return {
    show: (/** @type {number} */ step) => {
      picture.redraw();
      if (step > 0 && !rained) {
        rained = true;
        rain(calm());
      }
    },
    leave: () => {
      clock.stop();
    },
    picture: () => picture.root,
  };
}
