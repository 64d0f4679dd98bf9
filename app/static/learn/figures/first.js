// @ts-check
// Chapter 3: eight dice above eight blanks. Every one of the 1.7 million throws is the model's own text.
import { bar } from "../bar.js";
import { die } from "../dice.js";
import { button, calm, label, pressable, stage, svg, timers, word } from "../kit.js";
import { OPENING, texts, walk } from "../words.js";

/** @param {any} place */
export function figure({ host, data: [tree], say }) {
  let before = [...OPENING],
    dice = [...OPENING],
    changed = -1,
    shown = false,
    log = /** @type {number[][]} */ ([]);
  const clock = timers(),
    number = texts(tree);

  const picture = stage(({ root, w, h }) => {
    const words = walk(tree, dice).words,
      old = walk(tree, before).words;
    const columns = w > 520 ? 8 : 4,
      rows = 8 / columns,
      cell = w / columns,
      tall = rows === 1 ? Math.min(170, h * 0.42) : Math.min(116, (h - 76) / rows);
    const size = Math.min(44, cell * 0.55, tall * 0.4);
    words.forEach((text, k) => {
      const x = ((k % columns) + 0.5) * cell,
        y = Math.floor(k / columns) * tall + (rows === 1 ? 30 : 6);
      const differs = text !== old[k],
        turned = k === changed;
      const piece = svg("g", {}, die(x, y + size / 2 + 6, size, dice[k], turned ? "is-turned" : ""));
      pressable(piece, `die${k}`, `Die ${k + 1} shows ${dice[k]}. Press to turn it.`, () => turn(k));
      const shownWord = word(text),
        fit = Math.min(16, (cell - 8) / (Math.max(3, shownWord.length) * 0.6));
      const floor = y + size + 44;
      root.append(piece);
      root.append(
        svg("rect", {
          x: x - cell / 2 + 3,
          y: floor - 22,
          width: cell - 6,
          height: 32,
          rx: 6,
          class: `f-cell ${turned ? "is-new" : differs ? "is-changed" : "is-known"}`,
        }),
      );
      root.append(
        label(x, floor, shownWord, {
          class: `f-word ${differs ? "f-strong" : ""}`,
          "text-anchor": "middle",
          style: `font-size:${fit}px`,
        }),
      );
      if (differs)
        root.append(label(x, floor + 28, word(old[k]), { class: "f-small f-struck", "text-anchor": "middle" }));
    });
    const under = rows * tall + (rows === 1 ? 14 : 26),
      lines = Math.floor((h - 34 - under) / 27);
    [dice, ...log].slice(0, Math.max(1, lines)).forEach((faces, i) => {
      const y = under + i * 27;
      if (w > 520) faces.forEach((face, k) => root.append(die(10 + k * 21, y - 5, 17, face, i ? "is-old" : "")));
      root.append(
        label(w > 520 ? 184 : 0, y, walk(tree, faces).words.join("").trim(), {
          class: `f-sentence ${i ? "f-soft" : "f-strong"}`,
          style: w > 520 ? "" : "font-size:11.5px",
        }),
      );
    });
    root.append(
      label(0, h - 6, `${(6 ** 8).toLocaleString("en")} throws, ${number.toLocaleString("en")} different texts`, {
        class: "f-small",
      }),
    );
    const count = words.filter((t, k) => t !== old[k]).length;
    return (
      `Dice ${dice.join(", ")} give: ${words.join("").trim()}. ` +
      (changed >= 0 ? `Die ${changed + 1} was turned, ${count} of 8 words changed.` : "")
    );
  });

  const turn = (/** @type {number} */ k, face = (dice[k] % 6) + 1) => {
    before = [...dice];
    log = [dice, ...log].slice(0, 12);
    dice = dice.with(k, face);
    changed = k;
    picture.redraw();
    const now = walk(tree, dice).words,
      old = walk(tree, before).words,
      count = now.filter((t, i) => t !== old[i]).length;
    line.tell(
      count
        ? `Die ${k + 1} turned: ${count} of 8 words changed, none before word ${k + 1}.`
        : `Die ${k + 1} turned, but it fell into the same slice: nothing changed.`,
    );
    say(picture.said());
  };
  const throwAll = () => {
    clock.stop();
    log = [dice, ...log].slice(0, 12);
    before = dice = dice.map(() => 1 + Math.floor(Math.random() * 6));
    changed = -1;
    picture.redraw();
    line.tell("Eight new dice, one new text. The same dice give it again, always.");
  };
  const line = bar(
    [
      button(
        "Turn die 3",
        () => {
          clock.stop();
          turn(2);
        },
        { class: "learn-lit" },
      ),
      button("Throw all", throwAll),
    ],
    `Prompt: “${tree.prompt}” · press any die to turn it`,
  );
  host.append(picture.box, line);
  return {
    show: (/** @type {number} */ step) => {
      picture.redraw();
      if (step === 0 || shown) return;
      shown = true;
      if (calm()) turn(2);
      else [2, 2, 5].forEach((k, i) => clock.after(900 + 1600 * i, () => turn(k)));
    },
    leave: clock.stop,
    picture: () => picture.root,
  };
}
