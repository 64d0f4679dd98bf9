// @ts-check
// Chapter 1: six words, six calls. The picture is a staircase: no row can start before the one above is done.
import { bar } from "../bar.js";
import { button, calm, label, stage, svg, timers, word } from "../kit.js";
import { OPENING, walk } from "../words.js";

const COUNT = 6;

/** @param {any} place */
export function figure({ host, data: [tree], say }) {
  const words = walk(tree, OPENING).words.slice(0, COUNT).map(word);
  const clock = timers();
  let done = 0,
    touched = false;

  const picture = stage(({ root, w, h }) => {
    const left = w > 480 ? 74 : 30,
      cell = (w - left - 4) / COUNT,
      row = Math.min(74, (h - 30) / COUNT);
    words.forEach((_, j) =>
      root.append(label(left + (j + 0.5) * cell, 16, `${j + 1}`, { class: "f-small", "text-anchor": "middle" })),
    );
    for (let call = 0; call < COUNT; call++) {
      const y = 26 + call * row,
        state = call < done ? "is-done" : call === done ? "is-next" : "is-locked";
      root.append(
        label(0, y + row * 0.58, w > 480 ? `Call ${call + 1}` : `${call + 1}`, {
          class: `f-label ${state === "is-locked" ? "f-soft" : ""}`,
        }),
      );
      for (let j = 0; j < COUNT; j++) {
        const x = left + j * cell,
          own = j === call,
          known = j < call;
        const tone = call < done ? (own ? "is-new" : known ? "is-known" : "is-blank") : "is-locked";
        root.append(
          svg("rect", {
            x: x + 2,
            y: y + 3,
            width: cell - 4,
            height: row - 8,
            rx: 6,
            class: `f-cell ${tone} ${state === "is-next" && own ? "is-next" : ""}`,
          }),
        );
        const shown =
          call < done && j <= call ? words[j] : call >= done && own ? (call === done ? "?" : "waits") : "";
        const size = Math.min(14, (cell - 8) / (Math.max(2, shown.length) * 0.56));
        if (shown)
          root.append(
            label(x + cell / 2, y + row / 2 + 3, shown, {
              class: `f-word ${own && call < done ? "f-strong" : "f-soft"}`,
              "text-anchor": "middle",
              style: `font-size:${size}px`,
            }),
          );
      }
    }
    const written = done ? `Written: ${words.slice(0, done).join(" ")}.` : "Nothing is written yet.";
    return done === COUNT
      ? `Six calls wrote ${COUNT} words: ${words.join(" ")}. Call ${COUNT} had to wait for all five before it.`
      : `${done} of ${COUNT} calls made. ${written} The others wait.`;
  });

  const call = () => {
    done = done === COUNT ? 0 : done + 1;
    next.textContent = done === COUNT ? "Start again" : `Call the model (${done + 1} of ${COUNT})`;
    picture.redraw();
    line.tell(
      done === COUNT
        ? "Six words, six calls. Each row had to wait for the row above."
        : done
          ? `Call ${done} read ` +
            `${done === 1 ? "the prompt" : "the prompt and " + (done - 1) + (done === 2 ? " word" : " words")} ` +
            `and gave “${words[done - 1]}”.`
          : `Prompt: “${tree.prompt}”`,
    );
  };
  const next = button(
    `Call the model (1 of ${COUNT})`,
    () => {
      touched = true;
      clock.stop();
      call();
      say(picture.said());
    },
    { class: "learn-lit" },
  );
  const line = bar([next], `Prompt: “${tree.prompt}”`);
  host.append(picture.box, line);
  const play = () => {
    if (!touched && done < COUNT) {
      call();
      clock.after(900, play);
    }
  };
  return {
    show: (/** @type {number} */ step) => {
      picture.redraw();
      if (step === 0 || touched || done === COUNT) return;
      if (calm()) {
        while (done < COUNT) call();
      } else {
        clock.stop();
        clock.after(600, play);
      }
    },
    leave: clock.stop,
    picture: () => picture.root,
  };
}
