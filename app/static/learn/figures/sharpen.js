// @ts-check
// Chapter 5: two networks learn the second word in the browser; then the lab's own slots, recorded or on the server.
import { bar } from "../bar.js";
import { button, calm, label, percent, slider, stage, svg, timers } from "../kit.js";
import { STEPS, learner, measure, truth } from "../learner.js";
import { axes, cells, decoded, square } from "../square.js";
import { trainer } from "../trainer.js";
import { world } from "../world.js";

const SIDE = 48,
  EVERY = 4;
const LAB = { "o-ptp": "O-PTP", "c-ptp": "C-PTP", inverse: "from texts alone", independent: "not told u₁" };

/** @param {any} place */
export function figure({ host, data: [squares], say, server }) {
  const w0 = world(squares),
    clock = timers(),
    true_ = truth(w0, SIDE),
    side = squares.side;
  let nets = fresh(),
    history = /** @type {number[][]} */ ([]),
    started = false,
    lab = false,
    frame = 0,
    live = /** @type {any} */ (null);

  function fresh(seed = 1) {
    return [learner(w0, "told", seed), learner(w0, "apart", seed)].map((net) => ({
      net,
      words: net.square(SIDE),
      ...measure(w0, net.square(SIDE), SIDE),
    }));
  }

  const picture = stage(({ root, w, h }) => {
    return lab ? drawLab(root, w, h) : drawBrowser(root, w, h);
  });

  /** @param {any} root @param {number} w @param {number} h */
  function drawBrowser(root, w, h) {
    const gap = 22,
      size = Math.min((w - 2 * gap - 14) / 3, h - 120),
      left = (w - 3 * size - 2 * gap) / 2 + 6;
    const boxes = [0, 1, 2].map((i) => ({ x: left + i * (size + gap), y: 42, size }));
    ["the world", "told u₁", "not told"].forEach((name, i) =>
      root.append(label(boxes[i].x, 18, name, { class: "f-title" })),
    );
    square(root, w0, boxes[0], true_, SIDE);
    cells(root, w0, boxes[0], true);
    axes(root, boxes[0]);
    nets.forEach(({ words, right, nonsense }, i) => {
      square(root, w0, boxes[i + 1], words, SIDE);
      cells(root, w0, boxes[i + 1], false);
      root.append(label(boxes[i + 1].x, size + 62, `${percent(right)} right`, { class: "f-small f-strong" }));
      const small = size < 115, // a phone: the words are wider than their box
        last = small && i === 1;
      root.append(
        label(boxes[i + 1].x + (last ? size : 0), size + 80, `${percent(nonsense)} nonsense`, {
          class: `${small ? "f-tiny" : "f-small"} f-strong ${nonsense > 0.2 ? "f-bad" : "f-good"}`,
          "text-anchor": last ? "end" : "start",
        }),
      );
    });
    const top = size + 96,
      tall = h - top - 18;
    if (tall > 40) {
      root.append(label(0, top + 4, "nonsense while they learn", { class: "f-small" }));
      root.append(svg("line", { x1: 0, x2: w, y1: h - 14, y2: h - 14, class: "f-line" }));
      [0, 1].forEach((i) => {
        if (history.length < 2) return;
        const d = history
          .map(
            (row, k) =>
              `${k ? "L" : "M"}${((row[0] / STEPS) * w).toFixed(1)} ` +
              `${(h - 14 - row[i + 1] * (tall - 14) * 1.3).toFixed(1)}`,
          )
          .join("");
        root.append(svg("path", { d, class: `f-curve ${i ? "is-bad" : "is-good"}` }));
      });
      root.append(
        label(w, h - 1, `${nets[0].net.steps} of ${STEPS} steps`, { class: "f-small", "text-anchor": "end" }),
      );
    }
    return (
      `After ${nets[0].net.steps} steps: told u1, ${percent(nets[0].right)} right and ` +
      `${percent(nets[0].nonsense)} nonsense. Not told, ${percent(nets[1].right)} right and ` +
      `${percent(nets[1].nonsense)} nonsense.`
    );
  }

  /** @param {any} root @param {number} w @param {number} h */
  function drawLab(root, w, h) {
    const runs = live ? { [live.variant]: live.frames } : squares.runs,
      names = Object.keys(LAB).filter((n) => runs[n]);
    const columns = live ? 1 : w > 560 ? 4 : 2,
      rows = Math.ceil(names.length / columns),
      gap = 18;
    const size = Math.min((w - (columns - 1) * gap) / columns, (h - 26) / rows - 74),
      said = /** @type {string[]} */ ([]);
    names.forEach((name, i) => {
      const step = runs[name][Math.min(frame, runs[name].length - 1)];
      if (!step) return;
      const x = (i % columns) * ((w + gap) / columns),
        y = 30 + Math.floor(i / columns) * (size + 76),
        at = { x, y, size };
      root.append(
        label(x, y - 10, LAB[/** @type {keyof LAB} */ (name)], {
          class: size > 150 ? "f-title" : "f-small f-strong",
        }),
      );
      square(root, w0, at, decoded(step.square, w0.words.length), side);
      cells(root, w0, at, size > 260);
      root.append(
        label(x, y + size + 18, `${percent(step.invalid, 1)} nonsense`, {
          class: `f-small f-strong ${step.invalid > 0.2 ? "f-bad" : "f-good"}`,
        }),
      );
      root.append(label(x, y + size + 34, `distance ${step.distance.toFixed(3)}`, { class: "f-tiny" }));
      root.append(label(x, y + size + 50, `loss ${step.loss.toFixed(3)}, step ${step.step}`, { class: "f-tiny" }));
      said.push(`${LAB[/** @type {keyof LAB} */ (name)]}: ${percent(step.invalid, 1)} nonsense at step ${step.step}`);
    });
    lines(root, runs, names, 30 + rows * (size + 76), w, h);
    return `${live ? "Training on the server. " : "The lab's own slots, recorded. "}${said.join("; ")}.`;
  }

  /** How far each run is from the world, step by step, where there is room for it.
   * @param {any} root
   * @param {any} runs
   * @param {string[]} names
   * @param {number} top
   * @param {number} w
   * @param {number} h */
  function lines(root, runs, names, top, w, h) {
    if (h - top < 70) return;
    const foot = h - 14,
      most = squares.runs["o-ptp"][frames - 1].step,
      X = (/** @type {number} */ s) => (s / most) * (w - 130),
      Y = (/** @type {number} */ d) => foot - d * (foot - top - 14);
    root.append(
      label(0, top + 8, "distance to the world", { class: "f-small" }),
      svg("line", { x1: 0, x2: w - 130, y1: foot, y2: foot, class: "f-line" }),
    );
    names.forEach((name) => {
      const run = runs[name].slice(0, live ? undefined : frame + 1);
      root.append(
        svg("path", {
          d: run
            .map(
              (/** @type {any} */ s, /** @type {number} */ k) =>
                `${k ? "L" : "M"}${X(s.step).toFixed(1)} ${Y(s.distance).toFixed(1)}`,
            )
            .join(""),
          class: `f-curve ${name === "independent" ? "is-bad" : "is-good"}`,
        }),
      );
    });
    const last = (/** @type {string} */ name) => runs[name]?.[live ? runs[name].length - 1 : frame];
    if (last("independent"))
      root.append(label(w - 124, Y(last("independent").distance) + 5, "not told u₁", { class: "f-small f-bad" }));
    if (names.some((n) => n !== "independent"))
      root.append(label(w - 124, foot - 2, live ? "this run" : "the other three", { class: "f-small f-good" }));
  }

  const train = () => {
    clock.stop();
    nets = fresh(1);
    history = [[0, nets[0].nonsense, nets[1].nonsense]];
    started = true;
    const turn = () => {
      const until = performance.now() + (calm() ? 400 : 16);
      do {
        nets.forEach((n) => n.net.train());
      } while (nets[0].net.steps % EVERY || (performance.now() < until && nets[0].net.steps < STEPS));
      nets.forEach((n) => {
        n.words = n.net.square(SIDE);
        Object.assign(n, measure(w0, n.words, SIDE));
      });
      history.push([nets[0].net.steps, nets[0].nonsense, nets[1].nonsense]);
      picture.redraw();
      line.tell(
        `Step ${nets[0].net.steps} of ${STEPS}: told u₁ ${percent(nets[0].nonsense)} nonsense, not told ` +
          `${percent(nets[1].nonsense)}.`,
      );
      if (nets[0].net.steps < STEPS) clock.after(0, turn);
      else {
        go.textContent = "Train again";
        go.dataset.done = "1";
        say(picture.said());
      }
    };
    clock.after(0, turn);
  };
  const go = button("Train both networks", train, { class: "learn-lit" });
  const frames = squares.runs["o-ptp"].length;
  const scrub = slider(
    { title: "Training step", min: 0, max: frames - 1, step: 1, value: 0, class: "learn-lit" },
    (value) => {
      clock.stop();
      frame = value;
      picture.redraw();
    },
  );
  const own = trainer(server, w0, (run) => {
    live = run;
    frame = run ? run.frames.length - 1 : frames - 1;
    picture.redraw();
  });
  const line = bar([go], "Both start knowing nothing. They train here, in your browser.");
  const below = bar(
    [scrub],
    "Drag through the training. Distance: 0 is the world's own odds, 1 shares nothing with them.",
  );
  host.append(picture.box, line, below, own);
  return {
    show: (/** @type {number} */ step) => {
      lab = step === 2;
      line.hidden = lab;
      below.hidden = own.hidden = !lab;
      picture.redraw();
      if (lab && frame === 0 && !live) {
        const play = () => {
          if (frame < frames - 1) {
            frame += 1;
            scrub.value = String(frame);
            picture.redraw();
            clock.after(calm() ? 0 : 140, play);
          }
        };
        clock.after(calm() ? 0 : 500, play);
      } else if (step > 0 && !started) train();
    },
    leave: () => {
      if (nets[0].net.steps < STEPS) started = false;
      clock.stop();
    },
    picture: () => picture.root,
  };
}
