// @ts-check
// Chapter 10: tokens per call divided by the price of a call. Bend the measured cost curve towards a flat one.
import { bar } from "../bar.js";
import { label, percent, slider, stage, svg } from "../kit.js";

/**
 * Milliseconds of a call of so many rows, between measured points, bent towards flat.
 * @param {any} curve
 * @param {number} rows
 * @param {number} flat
 */
export function price(curve, rows, flat) {
  const { positions: x, milliseconds: y } = curve;
  let i = 1;
  while (i < x.length - 1 && x[i] < rows) i += 1;
  const t = (rows - x[i - 1]) / (x[i] - x[i - 1]);
  const ms = y[i - 1] + Math.max(0, t) * (y[i] - y[i - 1]);
  return y[0] + (1 - flat) * (ms - y[0]);
}

/** @param {any} place */
export function figure({ host, data: [costs], say }) {
  let flat = 0,
    chosen = 0,
    touched = false;

  const picture = stage(({ root, w, h }) => {
    const curve = costs.curves[chosen].curve,
      wide = w > 520,
      half = wide ? (w - 40) / 2 : w,
      tall = wide ? h : h / 2;
    const left = 38,
      foot = tall - 36,
      top = 34,
      most = Math.max(...curve.positions),
      ceiling = Math.ceil(Math.max(...curve.milliseconds) / 20) * 20;
    const X = (/** @type {number} */ n) => left + (n / most) * (half - left - 8),
      Y = (/** @type {number} */ ms) => foot - (ms / ceiling) * (foot - top);
    root.append(label(0, 16, "a call's price, in ms", { class: "f-title" }));
    [0, 0.5, 1].forEach((s) =>
      root.append(
        svg("line", { x1: left, x2: half, y1: Y(s * ceiling), y2: Y(s * ceiling), class: "f-line" }),
        label(left - 5, Y(s * ceiling) + 4, `${Math.round(s * ceiling)}`, { class: "f-tiny", "text-anchor": "end" }),
      ),
    );
    const path = (/** @type {number} */ f) =>
      curve.positions
        .map(
          (/** @type {number} */ n, /** @type {number} */ i) =>
            `${i ? "L" : "M"}${X(n).toFixed(1)} ${Y(price(curve, n, f)).toFixed(1)}`,
        )
        .join("");
    root.append(
      svg("path", { d: path(1), class: "f-curve is-dashed" }),
      svg("path", { d: path(0), class: "f-curve is-faint" }),
      svg("path", { d: path(flat), class: "f-curve is-good" }),
    );
    root.append(
      label(half - 4, Y(price(curve, most, 1)) + 15, "a flat ideal", {
        class: "f-small f-halo",
        "text-anchor": "end",
      }),
      label(half, foot + 16, `rows in one call (to ${most})`, { class: "f-tiny", "text-anchor": "end" }),
    );
    const group = svg("g", { transform: wide ? `translate(${half + 40}, 0)` : `translate(0, ${tall})` }),
      bars = costs.budgets,
      step = (half - left) / bars.length;
    const speed = bars.map(
        (/** @type {any} */ b) => (b.tokens_per_call * price(curve, 1, flat)) / price(curve, b.positions, flat),
      ),
      high = Math.max(2, ...bars.map((/** @type {any} */ b) => b.tokens_per_call)) * 1.05;
    const YY = (/** @type {number} */ v) => foot - (v / high) * (foot - top);
    group.append(label(0, 16, "how many times as fast", { class: "f-title" }));
    group.append(
      svg("line", { x1: left, x2: half, y1: YY(1), y2: YY(1), class: "f-tick" }),
      label(left - 5, YY(1) + 4, "1", { class: "f-tiny", "text-anchor": "end" }),
    );
    bars.forEach((/** @type {any} */ b, /** @type {number} */ i) => {
      const x = left + i * step + step * 0.16,
        width = step * 0.68;
      group.append(
        svg("rect", { x, y: YY(b.tokens_per_call), width, height: foot - YY(b.tokens_per_call), class: "f-ghost" }),
      );
      group.append(
        svg("rect", {
          x,
          y: YY(speed[i]),
          width,
          height: foot - YY(speed[i]),
          class: `f-bar ${speed[i] > 1.005 ? "is-told" : "is-blind"}`,
        }),
      );
      group.append(
        label(x + width / 2, YY(speed[i]) - 5, speed[i].toFixed(2), {
          class: "f-small f-strong",
          "text-anchor": "middle",
        }),
      );
      group.append(label(x + width / 2, foot + 16, `${b.budget}`, { class: "f-tiny", "text-anchor": "middle" }));
    });
    group.append(
      label(half, foot + 31, "slots per call · outline: tokens per call", { class: "f-tiny", "text-anchor": "end" }),
    );
    root.append(group);
    const best = speed.indexOf(Math.max(...speed));
    const price_ = flat === 0 ? "At the measured price" : `With the curve bent ${percent(flat)} of the way to flat`;
    const each = bars.map(
      (/** @type {any} */ b, /** @type {number} */ i) =>
        `${b.budget} slots: ${b.tokens_per_call.toFixed(2)} tokens per call, ${speed[i].toFixed(2)} times as fast`,
    );
    return `${price_}, ${each.join("; ")}. Best: ${bars[best].budget} slots.`;
  });
  const told = () => {
    const { curve, device, threads } = costs.curves[chosen],
      rows = costs.budgets[costs.budgets.length - 1].positions,
      times = price(curve, rows, flat) / price(curve, 1, flat);
    return (
      `${device}${threads ? `, ${threads} cores` : ""}: a call of ${Math.round(rows)} rows costs ` +
      `${times.toFixed(1)} times a call of one${flat ? `, bent ${percent(flat)} to flat` : ", as measured"}. ` +
      `${touched ? "" : "Drag to bend the line."}`
    );
  };
  const drag = slider(
    { title: "Bend the curve from measured to flat", min: 0, max: 1, step: 0.01, value: 0, class: "learn-lit" },
    (value) => {
      touched = true;
      flat = value;
      picture.redraw();
      line.tell(told());
    },
  );
  const line = bar([drag], told());
  host.append(picture.box, line);
  return {
    show: (/** @type {number} */ step) => {
      if (!touched) {
        flat = step > 0 ? 0.9 : 0;
        drag.value = String(flat);
        line.tell(told());
      }
      picture.redraw();
      if (touched) say(picture.said());
    },
    picture: () => picture.root,
  };
}
