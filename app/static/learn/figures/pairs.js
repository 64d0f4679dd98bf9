// @ts-check
// Chapter 4: a world of word pairs. Good first words and good second words, chosen apart, make nonsense.
import { bar } from "../bar.js";
import { button, calm, chance, label, percent, pick, stage, svg, timers } from "../kit.js";
import { world } from "../world.js";

const ROLLS = 20;

/** @param {any} place */
export function figure({ host, data: [squares], say }) {
  const w0 = world(squares),
    clock = timers();
  /** @type {{a: number, b: number, bad: boolean}[]} */ let rolled = [];
  let random = chance(11),
    total = 0,
    wrong = 0,
    played = false;

  const picture = stage(({ root, w, h }) => {
    const left = w > 480 ? 66 : 52,
      top = 46,
      foot = 70,
      cw = (w - left) / w0.words.length,
      rh = Math.min(52, (h - top - foot) / w0.names.length);
    const slanted = cw < 46;
    w0.words.forEach((text, b) => {
      const x = left + (b + 0.5) * cw;
      root.append(
        label(
          x,
          top - 8,
          text,
          slanted
            ? { class: "f-small", transform: `rotate(-42 ${x} ${top - 8})` }
            : { class: "f-small", "text-anchor": "middle" },
        ),
      );
    });
    w0.names.forEach((/** @type {string} */ text, /** @type {number} */ a) => {
      const y = top + a * rh;
      root.append(label(0, y + rh * 0.6, text, { class: "f-word" }));
      w0.words.forEach((_, b) => {
        const share = w0.second[a][b],
          bad = share === 0;
        root.append(
          svg("rect", {
            x: left + b * cw + 1.5,
            y: y + 1.5,
            width: cw - 3,
            height: rh - 3,
            rx: 4,
            class: bad ? "f-cell is-impossible" : "f-cell is-possible",
            style: bad ? "" : `fill-opacity:${0.25 + 1.1 * share}`,
          }),
        );
      });
    });
    const latest = rolled.slice(-ROLLS),
      seen = new Map();
    latest.forEach(({ a, b, bad }, i) => {
      const key = a * 10 + b,
        n = seen.get(key) || 0;
      seen.set(key, n + 1);
      const x = left + (b + 0.5) * cw + (n - 0.5) * Math.min(8, cw / 5),
        y = top + (a + 0.5) * rh;
      root.append(
        bad
          ? label(x, y + 6, "✗", { class: "f-stamp is-bad", "text-anchor": "middle" })
          : svg("circle", { cx: x, cy: y, r: Math.min(5, cw / 6), class: "f-stamp is-good" }),
      );
      if (i === latest.length - 1)
        root.append(
          svg("rect", { x: left + b * cw, y: top + a * rh, width: cw, height: rh, rx: 5, class: "f-ring" }),
        );
    });
    // the scale of nonsense: where three ways to guess end up
    const y = h - 30,
      x = (/** @type {number} */ s) => left + (w - left) * s;
    root.append(
      label(0, y + 5, "nonsense", { class: "f-small" }),
      svg("line", { x1: left, x2: w, y1: y, y2: y, class: "f-line" }),
    );
    const marks = [
      [0, "told the first word"],
      [w0.stubborn.invalid, `always “${w0.words[w0.stubborn.word]}”`],
      [w0.apart, "guessed apart"],
    ];
    marks.forEach(([share, text]) => {
      const sx = x(/** @type {number} */ (share));
      root.append(svg("line", { x1: sx, x2: sx, y1: y - 7, y2: y + 7, class: "f-tick" }));
      const first = share === 0,
        above = text.toString().startsWith("always");
      root.append(
        label(
          sx,
          above ? y - 13 : y + 22,
          w > 480 ? `${text} ${percent(/** @type {number} */ (share))}` : percent(/** @type {number} */ (share)),
          { class: "f-small", "text-anchor": first ? "start" : "middle" },
        ),
      );
    });
    if (total) root.append(svg("circle", { cx: x(wrong / total), cy: y, r: 7, class: "f-dot is-bad" }));
    const last = rolled[rolled.length - 1];
    return total
      ? `${total} pairs guessed apart: ${wrong} are nonsense, ${percent(wrong / total)}. In the long run ` +
          `it is ${percent(w0.apart)}. The last pair was "${w0.names[last.a]} ${w0.words[last.b]}".`
      : "A table of six first and ten second words. Filled cells are pairs that occur; in the others the " +
          "pair is impossible.";
  });

  const roll = () => {
    const a = pick(w0.first, random()),
      b = pick(w0.mix, random()),
      bad = w0.second[a][b] === 0;
    rolled.push({ a, b, bad });
    total += 1;
    wrong += Number(bad);
  };
  const play = () => {
    clock.stop();
    let left = ROLLS;
    rolled = [];
    const next = () => {
      do {
        roll();
        left -= 1;
      } while (calm() && left > 0);
      const { a, b, bad } = rolled[rolled.length - 1];
      const pair = `“${w0.names[a]} ${w0.words[b]}” ${bad ? "✗ impossible" : "✓"}`;
      line.tell(`${pair} · ${wrong} of ${total} are nonsense`);
      picture.redraw();
      if (left > 0) clock.after(170, next);
      else say(picture.said());
    };
    next();
  };
  const line = bar(
    [
      button(
        `Roll ${ROLLS} pairs`,
        () => {
          played = true;
          play();
        },
        { class: "learn-lit" },
      ),
    ],
    "First and second word are guessed apart, each with the right odds.",
  );
  host.append(picture.box, line);
  return {
    show: (/** @type {number} */ step) => {
      picture.redraw();
      if (step > 0 && !played) {
        played = true;
        play();
      }
    },
    leave: clock.stop,
    picture: () => picture.root,
  };
}
