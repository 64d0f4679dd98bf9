// @ts-check
// Chapter 6: one network, its own roll given or withheld. With it, it says a word; without it, the odds.
import { bar } from "../bar.js";
import { button, label, percent, slider, stage, svg, timers } from "../kit.js";
import { STEPS, largest, learner, truth } from "../learner.js";
import { axes, cells, square } from "../square.js";
import { world } from "../world.js";

const SIDE = 40;

/** @param {any} place */
export function figure({ host, data: [squares], say }) {
  const w0 = world(squares),
    clock = timers(),
    net = learner(w0, "flavours", 4);
  let u1 = 0.31,
    u2 = 0.62,
    given = true,
    touched = false,
    drag = false,
    frame = { x: 0, y: 0, size: 1 };

  const picture = stage(({ root, w, h }) => {
    const wide = w > 480,
      size = Math.min(w * (wide ? 0.46 : 0.42), h - 70);
    frame = { x: 18, y: wide ? 26 : 36, size };
    square(root, w0, frame, truth(w0, SIDE), SIDE);
    cells(root, w0, frame, size > 200);
    axes(root, frame);
    const px = frame.x + u1 * size,
      py = frame.y + (1 - u2) * size;
    root.append(svg("line", { x1: px, x2: px, y1: frame.y, y2: frame.y + size, class: "f-needle" }));
    if (given) root.append(svg("circle", { cx: px, cy: py, r: 7, class: "f-dot is-own" }));
    const left = size + (wide ? 92 : 76),
      top = wide ? 26 : 30,
      right = w - (wide ? 8 : -8);
    const odds = net.odds(u1, given ? u2 : null),
      said = largest(odds),
      [first, second] = w0.pair(u1, u2);
    root.append(
      label(wide ? left - 60 : 0, 14, given ? "u₂ given: it says which word" : "u₂ withheld: it says the odds", {
        class: "f-title",
      }),
    );
    const room = (h - top - 30) / 10,
      bars = right - left - 44;
    w0.words.forEach((text, b) => {
      const y = top + b * room,
        p = odds[b],
        true_ = given ? Number(b === second) : w0.second[first][b];
      root.append(label(left - 8, y + room * 0.68, text, { class: "f-small", "text-anchor": "end" }));
      root.append(
        svg("rect", {
          x: left,
          y: y + 2,
          width: Math.max(1, p * bars),
          height: Math.max(3, room - 5),
          rx: 2,
          class: `f-bar f-w${b}`,
        }),
      );
      if (true_)
        root.append(
          svg("line", {
            x1: left + true_ * bars,
            x2: left + true_ * bars,
            y1: y - 1,
            y2: y + room - 1,
            class: "f-tick is-strong",
          }),
        );
      const end = left + Math.max(p, true_) * bars;
      if (p > 0.03) root.append(label(end + 5, y + room * 0.68, percent(p), { class: "f-small" }));
    });
    root.append(label(w, h - 4, "bar: the network · tick: the truth", { class: "f-tiny", "text-anchor": "end" }));
    return given
      ? `Given u1 = ${u1.toFixed(2)} and u2 = ${u2.toFixed(2)}, the network says "${w0.words[said]}" with ` +
          `${percent(odds[said])}; the world says "${w0.words[second]}".`
      : `Given u1 = ${u1.toFixed(2)} alone, the network gives odds: ${w0.words
          .map((t, b) => [t, odds[b]])
          .filter((p) => Number(p[1]) > 0.05)
          .map((p) => `${p[0]} ${percent(Number(p[1]))}`)
          .join(", ")}.`;
  });

  const flip = () => {
    given = !given;
    swap.textContent = given ? "Withhold u₂" : "Give u₂ back";
    swap.setAttribute("aria-pressed", String(!given));
    tell();
    picture.redraw();
  };
  const tell = () =>
    line.tell(
      given
        ? "O-PTP: told its own roll too, it names the word. Drag the dot in the square."
        : "C-PTP: its own roll withheld, it gives odds. Drag the line in the square.",
    );
  const swap = button(
    "Withhold u₂",
    () => {
      touched = true;
      flip();
      say(picture.said());
    },
    { class: "learn-lit", "aria-pressed": "false" },
  );
  const turn = slider({ title: "The first roll, u₁", min: 0, max: 0.999, step: 0.001, value: u1 }, (value) => {
    u1 = value;
    picture.redraw();
  });
  const line = bar([swap, turn], "The network is learning …");
  const move = (/** @type {PointerEvent} */ event) => {
    const box = picture.root.getBoundingClientRect(),
      scale = picture.root.viewBox.baseVal.width / box.width;
    const x = ((event.clientX - box.left) * scale - frame.x) / frame.size,
      y = ((event.clientY - box.top) * scale - frame.y) / frame.size;
    if (event.type === "pointerdown" && (x < 0 || x > 1 || y < 0 || y > 1)) return;
    drag = true;
    [u1, u2] = [x, 1 - y].map((v) => Math.min(0.999, Math.max(0, v)));
    turn.value = String(u1);
    picture.redraw();
  };
  picture.root.addEventListener("pointerdown", move);
  addEventListener("pointermove", (event) => {
    if (drag) move(event);
  });
  addEventListener("pointerup", () => {
    drag = false;
  });
  host.append(picture.box, line);
  const learn = () => {
    for (let i = 0; i < 3 && net.steps < STEPS; i++) net.train();
    picture.redraw();
    if (net.steps < STEPS) clock.after(0, learn);
    else tell();
  };
  return {
    show: (/** @type {number} */ step) => {
      picture.redraw();
      if (net.steps < STEPS) {
        clock.stop();
        clock.after(0, learn);
      }
      if (!touched && given === step > 0) flip();
    },
    leave: clock.stop,
    picture: () => picture.root,
  };
}
