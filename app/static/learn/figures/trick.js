// @ts-check
// Chapter 0: a recorded race, counted in model calls. It plays once by itself.
import { button, calm, flow, label, stage, svg, timers } from "../kit.js";
import { bar } from "../bar.js";

const TICK = 130; // milliseconds a call
const WIDE = 7.85,
  LINE = 19;

/** What each call wrote in each line, as one block.
 * @param {{text: string, index: number, x: number, y: number}[]} parts
 * @param {number[]} owner the call of each piece @param {number} wide */
function blocks(parts, owner, wide) {
  /** @type {{call: number, y: number, left: number, right: number}[]} */ const found = [];
  for (const { text, index, x, y } of parts) {
    const call = owner[index],
      end = x + text.length * wide - 1,
      last = found[found.length - 1];
    if (last && last.call === call && last.y === y) last.right = end;
    else found.push({ call, y, left: x + (text.length - text.trimStart().length) * wide, right: end });
  }
  return found.filter((block) => block.right > block.left + 2);
}

/** @param {any} place */
export function figure({ host, data: [race], say }) {
  const lanes = [
    { name: "One token per call", calls: race.ar, tone: "is-plain" },
    { name: "Parallel token prediction", calls: race.ptp, tone: "is-ptp" },
  ];
  const most = Math.max(...lanes.map((lane) => lane.calls.length));
  const clock = timers();
  let now = most,
    played = false;

  const picture = stage(({ root, w, h }) => {
    const wide = w > 480,
      room = wide ? (w - 30) / 2 : w - 8;
    const height = wide ? h : h / 2;
    lanes.forEach((lane, i) => {
      const done = Math.min(now, lane.calls.length);
      const group = svg("g", {
        transform: wide ? `translate(${i * (room + 30)}, 0)` : `translate(0, ${i * height})`,
      });
      const pieces = lane.calls.flat(),
        owner = lane.calls.flatMap((/** @type {string[]} */ call, /** @type {number} */ k) => call.map(() => k));
      const small = wide || flow(pieces, room, WIDE).lines * LINE + 46 < height;
      const wideness = small ? WIDE : 6.2,
        line = small ? LINE : Math.min(14, (height - 50) / flow(pieces, room, 6.2).lines);
      group.append(label(0, 18, lane.name, { class: "f-title" }));
      group.append(
        label(room, 18, `${done} call${done === 1 ? "" : "s"}`, {
          class: `f-count ${i ? "f-accent" : ""}`,
          "text-anchor": "end",
        }),
      );
      group.append(svg("line", { x1: 0, x2: room, y1: 28, y2: 28, class: "f-line" }));
      group.append(
        svg("line", { x1: 0, x2: (room * done) / most, y1: 28, y2: 28, class: `f-progress ${lane.tone}` }),
      );
      const { placed } = flow(pieces, room, wideness);
      const shown = placed.filter((part) => owner[part.index] < done);
      if (i)
        blocks(shown, owner, wideness).forEach(({ call, y, left, right }) => {
          const tone = lane.calls[call].length === 1 ? "is-single" : call % 2 ? "is-even" : "is-odd";
          group.append(
            svg("rect", {
              x: left,
              y: 40 + y * line,
              width: right - left,
              height: line - 3,
              class: `f-call ${tone}`,
            }),
          );
        });
      shown.forEach((part) =>
        group.append(
          label(part.x, 40 + (part.y + 0.68) * line, part.text, {
            class: "f-code",
            style: small ? "" : "font-size:10.3px",
            "xml:space": "preserve",
          }),
        ),
      );
      root.append(group);
    });
    const [plain, ptp] = lanes.map((lane) => lane.calls.length);
    return `The same answer twice. One token per call needs ${plain} calls, parallel token prediction ${ptp}.`;
  });

  const play = () => {
    clock.stop();
    now = 0;
    const step = () => {
      now += 1;
      picture.redraw();
      if (now < most) clock.after(TICK, step);
      else say(picture.said());
    };
    picture.redraw();
    clock.after(400, step);
  };
  const replay = button("Replay the race", play, { class: "learn-lit" });
  host.append(picture.box, bar([replay], `Prompt: “${race.prompt}” · counted in calls of the model`));
  return {
    show: () => {
      if (played || calm()) {
        picture.redraw();
        return;
      }
      played = true;
      play();
    },
    leave: () => {
      clock.stop();
      now = most;
      picture.redraw();
    },
    picture: () => picture.root,
  };
}
