// @ts-check
// Chapter 7: one recorded call in slow motion. The same u falls on the target's strip beside each draft.
import { bar } from "../bar.js";
import { button, calm, el, label, percent, stage, svg, timers, word } from "../kit.js";

/** The first call with right drafts, a wrong one, and one behind it. @param {any[]} steps */
export function choose(steps) {
  const rank = (/** @type {any} */ s) =>
    (s.accepted >= 2 ? 2 : 0) + Number(s.extra === "recovered" && s.drafts.length > s.accepted + 1);
  return steps.reduce((best, s, i) => (rank(s) > rank(steps[best]) ? i : best), 0);
}

/** @param {any} place */
export function figure({ host, data: [pqd], say }) {
  const index = choose(pqd.steps),
    call = pqd.steps[index],
    count = call.drafts.length,
    wrong = call.accepted;
  const before = pqd.steps
    .slice(0, index)
    .flatMap((/** @type {any} */ s) => s.emitted.map((/** @type {any} */ e) => e.text))
    .join("");
  const tail = before.slice(before.lastIndexOf("\n") + 1).slice(-34),
    clock = timers();
  let done = 0,
    bet = -1,
    played = false;

  const picture = stage(({ root, w, h }) => {
    const wide = w > 480,
      chip = wide ? 96 : 74,
      left = chip + 16,
      right = w - (wide ? 128 : 76),
      room = right - left;
    root.append(label(0, 18, "Text so far:", { class: "f-small" }), label(0, 40, tail, { class: "f-code" }));
    const tall = Math.min(84, (h - 78) / count);
    call.drafts.forEach((/** @type {any[]} */ [text], /** @type {number} */ i) => {
      const y = 62 + i * tall,
        mid = y + tall / 2,
        seen = i < done,
        isWrong = i === wrong,
        gone = i > wrong;
      const fate = !seen ? "is-waiting" : gone ? "is-discarded" : isWrong ? "is-rejected" : "is-accepted";
      root.append(svg("rect", { x: 1, y: mid - 17, width: chip, height: 34, rx: 7, class: `f-draft ${fate}` }));
      root.append(
        label(chip / 2, mid + 5, word(text), {
          class: `f-word ${seen && (isWrong || gone) ? "f-struck" : ""}`,
          "text-anchor": "middle",
        }),
      );
      if (bet === i)
        root.append(label(chip - 4, mid - 21, "your bet", { class: "f-tiny f-accent", "text-anchor": "end" }));
      if (!seen) {
        root.append(label(left, mid + 5, i === done ? "the target looks …" : "", { class: "f-small" }));
        return;
      }
      if (gone) {
        root.append(
          label(left, mid + 5, wide ? "thrown away: it stood behind a wrong word" : "thrown away", {
            class: "f-small",
          }),
        );
        return;
      }
      const told = call.emitted[i];
      let at = 0;
      told.words.forEach((/** @type {any[]} */ [name, p]) => {
        const own = name === told.text,
          x = left + at * room;
        root.append(
          svg("rect", {
            x,
            y: mid - 10,
            width: Math.max(0.6, p * room - 1),
            height: 26,
            class: `f-slice ${own ? "is-own" : ""}`,
          }),
        );
        if (p * room > 7.4 * word(name).length + 6)
          root.append(label(x + 4, mid + 7, word(name), { class: "f-small" }));
        at += p;
      });
      const ux = left + told.u * room;
      root.append(svg("line", { x1: ux, x2: ux, y1: mid - 20, y2: mid + 18, class: "f-needle" }));
      root.append(
        label(ux, mid - 23, `u = ${told.u.toFixed(2)}`, {
          class: "f-tiny",
          "text-anchor": told.u > 0.85 ? "end" : told.u < 0.1 ? "start" : "middle",
        }),
      );
      root.append(
        label(right + 10, mid + 2, isWrong ? `✗ “${word(told.text)}”` : wide ? "✓ the same" : "✓ same", {
          class: `f-word f-strong ${isWrong ? "f-amber" : "f-good"}`,
        }),
      );
      if (isWrong && wide) root.append(label(right + 10, mid + 19, "corrected", { class: "f-small f-amber" }));
    });
    const said = call.drafts
      .slice(0, done)
      .map((/** @type {any[]} */ [text], /** @type {number} */ i) =>
        i < wrong
          ? `"${word(text)}" is right`
          : i === wrong
            ? `"${word(text)}" is wrong, corrected to "${word(call.emitted[i].text)}"`
            : `"${word(text)}" is thrown away`,
      );
    return `One call checks ${count} drafts. ${said.join("; ") || "None is checked yet"}.`;
  });

  const end = () => {
    const extra = wrong < count ? "1 corrected" : "1 free extra";
    line.tell(
      `Checked ${count} drafts in one call: ${wrong} right, ${extra}. The text grew by ` +
        `${call.emitted.length} tokens.` +
        (bet < 0 ? "" : bet === wrong ? " Your bet was right." : " You bet on another one."),
    );
    say(picture.said());
  };
  const play = () => {
    clock.stop();
    done = 0;
    played = true;
    const next = () => {
      done += 1;
      picture.redraw();
      if (done < count) clock.after(calm() ? 0 : 1300, next);
      else end();
    };
    picture.redraw();
    clock.after(calm() ? 0 : 700, next);
  };
  const bets = call.drafts.map((/** @type {any[]} */ [text], /** @type {number} */ i) =>
    button(
      `${i + 1}: ${word(text)}`,
      () => {
        bet = i;
        play();
      },
      { class: "learn-lit", "aria-label": `Bet that draft ${i + 1}, ${word(text)}, is the first wrong one` },
    ),
  );
  const line = bar([group("Which draft is the first wrong one?", bets)], "Place a bet, and the call runs.");
  host.append(picture.box, line);
  return {
    show: (/** @type {number} */ step) => {
      picture.redraw();
      if (step > 0 && !played) play();
    },
    leave: () => {
      clock.stop();
      if (played) {
        done = count;
        picture.redraw();
      }
    },
    picture: () => picture.root,
  };
}

const group = (/** @type {string} */ text, /** @type {any[]} */ buttons) =>
  el("span", { class: "learn-choice", role: "group", "aria-label": text }, [el("b", { text }), ...buttons]);
