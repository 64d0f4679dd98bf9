// @ts-check
// Several series over the same places, each with a shape of its own.

import { svg } from "../core/dom.js";
import { blank, EDGE, frame, given, LEFT, line, mark, stacked, whisker, words } from "./axes.js";

/** @typedef {import("./axes.js").Exhibit} Exhibit */
/** @typedef {import("./axes.js").Item} Item */

/** A series' shape by its place, and what it is called. @type {[string, (x: number, y: number) => SVGElement][]} */
export const SHAPES = [
  ["circle", (x, y) => svg("circle", { cx: x, cy: y, r: 4.5, class: "ptp-dot" })],
  ["square", (x, y) => svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, class: "ptp-dot" })],
  ["triangle", (x, y) => svg("path", { d: `M${x} ${y - 5.5}L${x + 5} ${y + 4}H${x - 5}Z`, class: "ptp-dot" })],
  ["diamond", (x, y) =>
    svg("path", { d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z`, class: "ptp-dot" })],
  ["cross", (x, y) => {
    const d = `M${x - 5} ${y - 5}L${x + 5} ${y + 5}M${x - 5} ${y + 5}L${x + 5} ${y - 5}`;
    return svg("path", { d, class: "ptp-dot is-cross" });
  }],
];

/** The shape of a series. @param {number} series */
export const shapeOf = (series) => SHAPES[series % SHAPES.length];

/** The class of a series. @param {number} series */
export const lookOf = (series) => `is-line-${series % SHAPES.length}`;

/** @param {Exhibit} exhibit @param {Exhibit | null} _ @param {number} width */
export function lines(exhibit, _, width) {
  const { places, base } = exhibit, picture = blank(width), room = (width - LEFT - EDGE) / places.length;
  const items = exhibit.lines.flatMap((one) => one.items).filter(({ value }) => given(value));
  const most = Math.max(...items.map(({ value, high }) => Math.max(value || 0, high || 0)), base || 0) * 1.05;
  const lowest = items.map(({ value, low }) => Math.min(value || 0, low || value || 0));
  const least = base === 1 ? Math.min(...lowest, 1) * 0.95 : 0;
  const deep = Math.max(...places.map((place) => words(place, room).length));
  const { left, right, bottom, y } = frame(picture, exhibit, width, deep, most, least);
  const x = (/** @type {number} */ i) => left + room * (i + 0.5);
  places.forEach((place, i) => picture.append(stacked(x(i), bottom + 15, words(place, room), "middle")));
  if (base === 1) picture.append(line(left, y(1), right, y(1), "ptp-base"));
  exhibit.lines.forEach((one, k) => {
    /** @type {[number, number, Item, number][]} */
    const points = [];
    one.items.forEach((item, i) => { if (given(item.value)) points.push([x(i), y(item.value), item, i]); });
    const path = points.map(([across, up]) => `${across},${up}`).join(" ");
    picture.append(svg("g", { class: `ptp-series ${lookOf(k)}` }, [
      svg("polyline", { points: path, class: "ptp-line" }),
      ...points.map(([across, up, item, i]) => mark(exhibit, item, i, k, [
        svg("circle", { cx: across, cy: up, r: 12, class: "ptp-hit" }),
        ...(given(item.low) ? whisker(across, y(item.low), y(item.high || 0)) : []),
        shapeOf(k)[1](across, up),
      ])),
    ]));
  });
  picture.append(line(left, bottom, right, bottom, "ptp-axis-line"));
  return picture;
}
