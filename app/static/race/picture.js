// @ts-check
// A picture of the race: both texts with every token's provenance, the figures, the timelines.

import { glyphOf } from "../core/chips.js";
import { colour, svg, SVG } from "../core/dom.js";
import { savePicture } from "../core/save.js";
import { directionOf, plain } from "../core/text.js";
import { BASELINE, LANES, PARALLEL } from "../core/wire.js";
import { calls, callWords, fasterWords } from "./figures.js";

/** @typedef {import("./lanes.js").Page} Page */
/** @typedef {import("./lanes.js").State} State */
/** @typedef {import("../core/wire.js").Token} Token */
/** @typedef {{ picture: SVGElement, paint: (name: string) => string }} Canvas */

const WIDTH = 1200, MARGIN = 40, LINE = 30, FONT = 16;
const SANS = "system-ui, DejaVu Sans, sans-serif", MONO = "ui-monospace, DejaVu Sans Mono, monospace";

/**
 * @param {Page} page
 * @param {"png" | "svg"} kind
 */
export async function exportRace({ root, state }, kind) {
  if (state.meta) await savePicture(draw(root, state), `ptp-race-seed-${state.meta.seed}`, kind);
}

/**
 * @param {HTMLElement} root
 * @param {State} state
 */
function draw(root, state) {
  const picture = svg("svg", { xmlns: SVG, width: WIDTH, "font-family": SANS });
  const canvas = { picture, paint: (/** @type {string} */ name) => colour(root, name) };
  const background = svg("rect", { width: WIDTH, height: 10, fill: canvas.paint("paper") });
  picture.append(background);
  let y = timelines(canvas, state, figures(canvas, state, heading(canvas, state) + 56) + 30);
  for (const name of LANES) {
    const { tokens } = state.lanes[name];
    if (!tokens.length) continue;
    const title = name === BASELINE ? "Autoregressive" : "Parallel";
    put(canvas, title, MARGIN, (y += 44), 16, "ink", { "font-weight": 700 });
    y = text(canvas, tokens, name === PARALLEL, y + 12);
  }
  const height = Math.ceil(y + 40);
  picture.setAttribute("height", String(height));
  picture.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  background.setAttribute("height", String(height));
  return picture;
}

/**
 * @param {Canvas} canvas
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {number} size
 * @param {string} ink the name of a colour
 * @param {object} [extra]
 */
function put({ picture, paint }, words, x, y, size, ink, extra) {
  picture.append(svg("text", { x, y, "font-size": size, fill: paint(ink), text: words, ...extra }));
}

/** @param {Canvas} canvas @param {State} state */
function heading(canvas, { meta }) {
  if (!meta) return 0;
  const { temperature, top_k: topK, top_p: topP } = meta.sampling, prompt = plain(meta.prompt);
  const settings = `seed ${meta.seed} · T ${temperature} · top-k ${topK} · top-p ${topP}`;
  put(canvas, "PTP Lab", MARGIN, 60, 26, "ink", { "font-weight": 700 });
  put(canvas, prompt.length > 95 ? `${prompt.slice(0, 94)}…` : prompt, MARGIN, 92, 17, "ink");
  put(canvas, `${meta.model} · ${settings} · ${meta.device} ${meta.dtype}`, MARGIN, 116, 13, "soft");
  return 116;
}

/** @param {Canvas} canvas @param {State} state @param {number} y */
function figures(canvas, { summary }, y) {
  if (!summary) return y;
  const { lanes: { ar, ptp }, divergence, speedup } = summary, items = [];
  if (ar && ptp) items.push([calls(summary), callWords(summary)]);
  if (ptp) items.push([ptp.tokens_per_call.toFixed(2), "tokens per call"]);
  if (speedup) items.push([`${speedup.toFixed(2)}×`, fasterWords(speedup)]);
  const same = divergence === null ? `✓ ${ptp?.tokens} / ${ptp?.tokens}` : `≠ at ${divergence + 1}`;
  if (ar && ptp) items.push([same, "same u, same text"]);
  items.forEach(([value, label], i) => {
    put(canvas, value, MARGIN + 280 * i, y, 30, "ink", { "font-weight": 700 });
    put(canvas, label, MARGIN + 280 * i, y + 22, 13, "soft");
  });
  return y + 22;
}

/** @param {Canvas} canvas @param {State} state @param {number} y */
function timelines(canvas, { lanes }, y) {
  const { picture, paint } = canvas, left = MARGIN + 50, wide = WIDTH - MARGIN - left;
  const total = Math.max(1e-9, ...LANES.map((name) => lanes[name].ends[lanes[name].steps.length]));
  for (const name of LANES) {
    const { steps, ends } = lanes[name];
    put(canvas, name.toUpperCase(), MARGIN, y + 16, 13, "soft");
    for (const [i, step] of steps.entries()) {
      const x = left + (wide * ends[i]) / total, width = Math.max((wide * (ends[i + 1] - ends[i])) / total - 1.5, 0.5);
      const fill = paint(name === PARALLEL && step.emitted.length > 1 ? "accepted-bg" : "block");
      picture.append(svg("rect", { x, y, width, height: 20, rx: 2, fill }));
    }
    y += 28;
  }
  put(canvas, `0 to ${total.toFixed(0)} ms, measured`, left, y + 10, 12, "soft");
  return y + 10;
}

/**
 * The tokens of a lane, line by line, from the side where its text begins.
 * @param {Canvas} canvas
 * @param {Token[]} tokens
 * @param {boolean} provenance
 * @param {number} y
 */
function text(canvas, tokens, provenance, y) {
  const pen = document.createElement("canvas").getContext("2d"), backwards = directionOf(tokens) === "rtl";
  if (pen) pen.font = `${FONT}px ${MONO}`;
  let x = MARGIN;
  for (const token of tokens) {
    const words = plain(token.text || token.label || "…");
    const width = (pen ? pen.measureText(words).width : 9 * words.length) + 6;
    if (x + width > WIDTH - MARGIN) {
      x = MARGIN;
      y += LINE;
    }
    drawToken(canvas, token, words, backwards ? WIDTH - x - width : x, y, width, provenance && !token.alone);
    x += width + 3;
    if (token.text.includes("\n")) {
      x = MARGIN;
      y += LINE;
    }
  }
  return y + LINE;
}

/**
 * @param {Canvas} canvas
 * @param {Token} token
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {boolean} provenance
 */
function drawToken(canvas, { source }, words, x, y, width, provenance) {
  const { picture, paint } = canvas;
  if (provenance) {
    picture.append(svg("rect", { x, y: y + 2, width, height: 23, rx: 3, fill: paint(`${source}-bg`) }));
    picture.append(svg("rect", { x, y: y + 24, width, height: 2, fill: paint(source) }));
    if (glyphOf(source)) put(canvas, glyphOf(source), x + width - 8, y + 7, 9, source);
  }
  put(canvas, words, x + 3, y + 19, FONT, "ink", { "font-family": MONO, "xml:space": "preserve" });
}
