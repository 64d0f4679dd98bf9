// @ts-check
// A chart as a file: with its title and sentences, css written into it.

import { colour, svg, SVG } from "../core/dom.js";
import { painted, savePicture } from "../core/save.js";
import { fold } from "./axes.js";

const SANS = "system-ui, DejaVu Sans, sans-serif";

/**
 * @param {HTMLElement} figure that holds the chart
 * @param {string[]} sentences the first one is the title
 * @param {string} name
 * @param {string} kind "svg" or "png"
 */
export function saveChart(figure, [title, ...sentences], name, kind) {
  const chart = figure.querySelector("svg");
  if (!chart) return Promise.resolve();
  const [width, high] = ["width", "height"].map((side) => Number(chart.getAttribute(side)));
  const copy = painted(chart), lines = sentences.flatMap((sentence) => fold(sentence, width / 6.1));
  copy.setAttribute("y", "44");
  const height = high + 60 + 17 * lines.length;
  const look = { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": SANS };
  const heading = { "font-size": 16, "font-weight": 700, fill: colour(figure, "ink"), text: title };
  const small = { "font-size": 11.5, fill: colour(figure, "soft") };
  return savePicture(svg("svg", { xmlns: SVG, ...look }, [
    svg("rect", { width, height, fill: colour(figure, "panel") }),
    svg("text", { x: 12, y: 28, ...heading }), copy,
    ...lines.map((part, i) => svg("text", { x: 12, y: high + 62 + 17 * i, ...small, text: part })),
  ]), name, kind);
}
