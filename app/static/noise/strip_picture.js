// @ts-check
// Pictures that stand alone: one token's strip, and the plot under the cards.

import { clamp, colour, svg, SVG } from "../core/dom.js";
import { painted } from "../core/save.js";
import { plain } from "../core/text.js";

/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {import("../core/wire_maps.js").Stairs} Stairs */
/** @typedef {{ left: number, right: number, text: string, own: boolean }} Bin */

const WIDE = 1000, ROW = 62, TOP = 34, BAR = 36;
/** @param {number} u */
const across = (u) => 10 + u * (WIDE - 20);

/**
 * A token's bins, and below them the draft's where its map was drawn.
 * @param {Token} token
 * @param {Stairs | null} draft
 */
export function stripPicture(token, draft) {
  /** @type {[string, Bin[]][]} */
  const rows = [["the model", token.candidates.map(
    ({ text, prob, left, own }) => ({ left, right: left + prob, text, own }))]];
  if (draft && draft.kind) {
    const { texts } = draft;
    rows.push(["the PTP draft", draft.draft.map(
      ({ left, right, tokens }) => ({ left, right, text: texts[tokens[0]] || "", own: false }))]);
  }
  const height = TOP + ROW * rows.length + 22, x = across(token.u);
  const picture = svg("svg", {
    class: "nz-exported", viewBox: `0 0 ${WIDE} ${height}`, width: WIDE, height,
    style: "position:absolute;left:-9999px",
  });
  rows.forEach(([title, bins], i) => {
    const y = TOP + ROW * i, wide = across(1) - across(0);
    picture.append(
      svg("text", { class: "nz-axis", x: 10, y: y - 5, text: title }),
      svg("rect", { class: "nz-ground", x: across(0), y, width: wide, height: BAR }),
      ...bins.flatMap((bin) => drawBin(bin, y)),
    );
  });
  const label = `token ${token.position + 1}, u = ${token.u.toFixed(5)}`, middle = clamp(x, 50, WIDE - 50);
  picture.append(
    svg("line", { class: "ptp-needle", x1: x, x2: x, y1: 26, y2: height - 22 }),
    svg("text", { class: "nz-axis", x: middle, y: height - 6, "text-anchor": "middle", text: label }),
  );
  return picture;
}

/** @param {Bin} bin @param {number} y */
function drawBin({ left, right, text, own }, y) {
  const x = across(left), width = across(right) - x, look = own ? "nz-bin-own" : "nz-bin";
  const shape = svg("rect", { class: look, x, y, width: Math.max(width - 1, 0.4), height: BAR });
  const words = plain(text).slice(0, Math.floor(width / 9));
  return width > 40 ? [shape, svg("text", { class: "nz-in", x: x + 5, y: y + 22, text: words })] : [shape];
}

/**
 * A Plotly figure on the page as one picture: its layers, one over the other.
 * @param {HTMLElement} plot
 */
export function plotPicture(plot) {
  const box = plot.getBoundingClientRect(), width = Math.round(box.width), height = Math.round(box.height);
  const layers = /** @type {SVGElement[]} */ ([...plot.querySelectorAll("svg.main-svg")]);
  const ground = svg("rect", { width: "100%", height: "100%", fill: colour(plot, "panel") });
  return svg("svg", { xmlns: SVG, width, height }, [ground, ...layers.map((layer) => painted(layer))]);
}
