// @ts-check
// Chapter 9: shipped results by entropy and margin, with u and without; then what a draft must know for u to help.
import { bar } from "../bar.js";
import { button, el, label, percent, plain, pressable, slider, stage, svg } from "../kit.js";
import { curve } from "../odds.js";

const VIEWS = {
  entropy: "by how open the choice was (entropy of the target's odds, in nats)",
  margin: "by how near the roll was to another word (margin)",
};

/** @param {any} place */
export function figure({ host, data: [results, pqd], say }) {
  const known = pqd.steps
    .flatMap((/** @type {any} */ s) => s.emitted)
    .map((/** @type {any} */ e) => {
      const odds = e.words.map((/** @type {any[]} */ w) => w[1]),
        sum = odds.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0);
      return odds.map((/** @type {number} */ p) => p / sum);
    })
    .filter((/** @type {number[]} */ p) => p.length > 1);
  let view = /** @type {keyof typeof VIEWS} */ ("entropy"),
    open = -1,
    quality = 0.8,
    step = 0,
    points = /** @type {any[]} */ ([]);

  const picture = stage(({ root, w, h }) => (step === 2 ? drawCurve(root, w, h) : drawBars(root, w, h)));

  /** @param {any} root @param {number} w @param {number} h */
  function drawBars(root, w, h) {
    const [withU, without] = results.series,
      bins = withU[view],
      left = 40,
      foot = h - 58,
      top = 46,
      group = (w - left) / bins.length;
    root.append(label(0, 16, "right drafts", { class: "f-title" }));
    results.series.forEach((/** @type {any} */ s, /** @type {number} */ i) => {
      root.append(
        svg("rect", {
          x: w > 520 ? 130 + i * 215 : 0,
          y: w > 520 ? 6 : 22 + i * 14,
          width: 11,
          height: 11,
          class: `f-bar ${i ? "is-blind" : "is-told"}`,
        }),
      );
      root.append(label(w > 520 ? 147 + i * 215 : 16, w > 520 ? 16 : 31 + i * 14, s.label, { class: "f-small" }));
    });
    const head = w > 520 ? top : top + 16;
    [0, 0.25, 0.5, 0.75].forEach((tick) => {
      const y = foot - (tick / 0.8) * (foot - head);
      root.append(
        svg("line", { x1: left, x2: w, y1: y, y2: y, class: "f-line" }),
        label(left - 6, y + 4, percent(tick), { class: "f-tiny", "text-anchor": "end" }),
      );
    });
    bins.forEach((/** @type {any} */ bin, /** @type {number} */ k) => {
      const x = left + k * group;
      const piece = svg("g", { class: k === open ? "is-open" : "" }, [
        svg("rect", { x: x + 1, y: head, width: group - 2, height: foot - head, class: "f-column" }),
      ]);
      [withU, without].forEach((series, i) => {
        const share = series?.[view][k]?.share;
        if (share === null || share === undefined) return;
        const tall = (Math.min(0.8, share) / 0.8) * (foot - head),
          width = group * 0.36;
        piece.append(
          svg("rect", {
            x: x + group * (0.13 + 0.38 * i),
            y: foot - tall,
            width,
            height: tall,
            class: `f-bar ${i ? "is-blind" : "is-told"}`,
          }),
        );
      });
      root.append(
        pressable(piece, `bin${k}`, `${view} ${bin.label}: ${shares(k)}. Press to see its words in context.`, () =>
          show_(k),
        ),
      );
      const short = bin.label.replace(" to ", "–").replace("–inf", "+").replace(" or more", "+");
      if (w > 520 || k % 2 === 0)
        root.append(label(x + group / 2, foot + 16, short, { class: "f-tiny", "text-anchor": "middle" }));
    });
    root.append(
      label(
        left,
        foot + 36,
        w > 520 ? VIEWS[view] : view === "entropy" ? "entropy of the odds, in nats" : "margin of the roll",
        { class: "f-small" },
      ),
    );
    const each = bins.map((/** @type {any} */ b, /** @type {number} */ k) => `${b.label}: ${shares(k)}`);
    return `Share of right drafts ${VIEWS[view]}. ${each.join("; ")}.`;
  }

  /** What each draft got right in a bin. @param {number} k */
  function shares(k) {
    return results.series.map((/** @type {any} */ s) => `${s.label} ${percent(s[view][k].share ?? 0)}`).join(", ");
  }

  /** @param {any} root @param {number} w @param {number} h */
  function drawCurve(root, w, h) {
    if (!points.length) points = curve(known, 60).sort((a, b) => a.known - b.known);
    const left = 40,
      foot = h - 42,
      top = 30,
      X = (/** @type {number} */ v) => left + ((v - 0.55) / 0.45) * (w - left - 10),
      Y = (/** @type {number} */ v) => foot - ((v - 0.4) / 0.6) * (foot - top);
    [0.4, 0.6, 0.8, 1].forEach((v) =>
      root.append(
        svg("line", { x1: left, x2: w, y1: Y(v), y2: Y(v), class: "f-line" }),
        label(left - 6, Y(v) + 4, percent(v), { class: "f-tiny", "text-anchor": "end" }),
      ),
    );
    [0.6, 0.7, 0.8, 0.9, 1].forEach((v) =>
      root.append(label(X(v), foot + 16, percent(v), { class: "f-tiny", "text-anchor": "middle" })),
    );
    root.append(
      label(left, 16, "right drafts", { class: "f-title" }),
      label(w, foot + 34, "how much of the odds the draft has right →", { class: "f-small", "text-anchor": "end" }),
    );
    /** @type {["dice" | "plain", string][]} */ const lines = [
      ["dice", "told the dice"],
      ["plain", "says its likeliest word"],
    ];
    const inside = points.filter((p) => p.known >= 0.55);
    lines.forEach(([key, name]) => {
      root.append(
        svg("path", {
          d: inside.map((p, i) => `${i ? "L" : "M"}${X(p.known).toFixed(1)} ${Y(p[key]).toFixed(1)}`).join(""),
          class: `f-curve ${key === "dice" ? "is-good" : "is-blind"}`,
        }),
      );
      root.append(
        label(
          key === "dice" ? X(0.945) : w - 4,
          key === "dice" ? Y(0.95) : Y(inside[inside.length - 1].plain) + 34,
          name,
          { class: `f-small f-strong f-halo ${key === "dice" ? "f-good" : ""}`, "text-anchor": "end" },
        ),
      );
    });
    const here = at();
    root.append(svg("line", { x1: X(quality), x2: X(quality), y1: top, y2: foot, class: "f-needle" }));
    lines.forEach(([key]) =>
      root.append(
        svg("circle", {
          cx: X(quality),
          cy: Y(here[key]),
          r: 6,
          class: `f-dot ${key === "dice" ? "is-own" : "is-blind"}`,
        }),
      ),
    );
    return (
      `A draft that has ${percent(quality)} of the odds right: told the dice ${percent(here.dice)} of its ` +
      `drafts are right, saying its likeliest word ${percent(here.plain)}.`
    );
  }

  function at() {
    const i = Math.max(
        1,
        points.findIndex((p) => p.known >= quality),
      ),
      [a, b] = [points[i - 1], points[i]];
    const t = Math.min(1, Math.max(0, (quality - a.known) / (b.known - a.known || 1)));
    return { dice: a.dice + t * (b.dice - a.dice), plain: a.plain + t * (b.plain - a.plain) };
  }

  const words = el("ul", { class: "learn-contexts", tabindex: "0", "aria-label": "Words in context" });
  const show_ = (/** @type {number} */ k) => {
    open = k;
    const found = results.contexts?.[view]?.[k] || [];
    const room = host.clientWidth < 520 ? 14 : 46; // characters before the word, so that the word itself is in sight
    words.replaceChildren(
      ...found.map((/** @type {any} */ c) =>
        el("li", { class: c.right ? "is-right" : "is-wrong" }, [
          el("span", { text: c.right ? "✓ " : "✗ ", "aria-label": c.right ? "right: " : "wrong: " }),
          `…${plain(c.before.slice(-room))}`,
          el("b", { text: plain(c.text) }),
          `${plain(c.after)}…`,
        ]),
      ),
    );
    line.tell(
      `${results.series[0].label}, ${view} ${results.series[0][view][k].label}: ` +
        `${percent(results.series[0][view][k].share ?? 0)} of ` +
        `${results.series[0][view][k].count.toLocaleString("en")} drafts right.`,
    );
    picture.redraw();
    say(picture.said());
  };
  const swap = button("Sort by margin instead", () => {
    view = view === "entropy" ? "margin" : "entropy";
    swap.textContent = view === "entropy" ? "Sort by margin instead" : "Sort by entropy instead";
    open = -1;
    words.replaceChildren();
    picture.redraw();
  });
  const line = bar([el("b", { class: "learn-lit is-hint", text: "Press a pair of bars" }), swap], results.over);
  const drag = slider(
    {
      title: "How much of the odds the draft has right",
      min: 0.56,
      max: 0.999,
      step: 0.001,
      value: quality,
      class: "learn-lit",
    },
    (value) => {
      quality = value;
      picture.redraw();
      tellCurve();
    },
  );
  const below = bar([drag], "");
  const tellCurve = () => {
    const h = at();
    below.tell(
      `${percent(quality)} of the odds right: told the dice ${percent(h.dice)}, likeliest word ` +
        `${percent(h.plain)}.`,
    );
  };
  host.append(picture.box, line, words, below);
  return {
    show: (/** @type {number} */ now) => {
      step = now;
      line.hidden = words.hidden = step === 2;
      below.hidden = step !== 2;
      picture.redraw();
      if (step === 2) tellCurve();
      else if (step === 1 && open < 0) show_(results.series[0][view].length - 2);
    },
    picture: () => picture.root,
  };
}
