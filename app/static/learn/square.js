// @ts-check
// The (u1, u2) square as a drawing: a colour a word, hatching where the pair is impossible, outlines of the true cells.
import { label, svg } from "./kit.js";

/** @typedef {import("./world.js").World} World */
/** @typedef {{x: number, y: number, size: number}} Frame x, y: the upper left corner */

let patterns = 0; // each square has a pattern of its own: one in a hidden chapter would paint nothing

/** The hatching that marks nonsense. @param {string} id */
const hatching = (id) =>
  svg(
    "pattern",
    { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line", { x1: 0, x2: 0, y1: 0, y2: 6, class: "f-hatch" }),
  );

/** @param {any} root
 * @param {World} world
 * @param {Frame} frame
 * @param {ArrayLike<number>} words rows of u1, columns of u2
 * @param {number} side @param {boolean} [hatched] */
export function square(root, world, { x, y, size }, words, side, hatched = true) {
  const cell = size / side;
  /** @type {string[]} */ const paths = [];
  let nonsense = "";
  for (let i = 0; i < side; i++) {
    const left = x + i * cell,
      a = world.pair((i + 0.5) / side, 0)[0];
    for (let j = 0, start = 0; j < side; j++) {
      const word = words[i * side + j];
      if (j + 1 < side && words[i * side + j + 1] === word) continue;
      const wide = (cell + 0.3).toFixed(2),
        tall = ((j + 1 - start) * cell + 0.3).toFixed(2); // no seams between cells
      const shape = `M${left.toFixed(2)} ${(y + size - start * cell).toFixed(2)}h${wide}v-${tall}h-${wide}z`;
      paths[word] = (paths[word] || "") + shape;
      if (hatched && !(world.second[a][word] > 0)) nonsense += shape;
      start = j + 1;
    }
  }
  const id = `learn-hatch-${++patterns}`;
  const group = svg("g", {}, [
    nonsense ? hatching(id) : null,
    ...paths.map((d, word) => (d ? svg("path", { d, class: `f-w f-w${word}` }) : null)),
    nonsense ? svg("path", { d: nonsense, class: "f-nonsense", fill: `url(#${id})` }) : null,
    svg("rect", { x, y, width: size, height: size, class: "f-frame" }),
  ]);
  root.append(group);
  return group;
}

/**
 * Outlines of the true cells, and, where there is room, their words.
 * @param {any} root
 * @param {World} world
 * @param {Frame} frame
 * @param {boolean} named
 */
export function cells(root, world, { x, y, size }, named) {
  let left = 0;
  world.first.forEach((p, a) => {
    let low = 0;
    world.second[a].forEach((q, b) => {
      if (!q) return;
      const box = { x: x + left * size, y: y + (1 - low - q) * size, width: p * size, height: q * size };
      root.append(svg("rect", { ...box, class: "f-outline" }));
      const text = world.words[b],
        fits = box.width > text.length * 6.2 + 4 && box.height > 16;
      if (named && fits)
        root.append(
          label(box.x + box.width / 2, box.y + box.height / 2 + 4, text, {
            class: "f-cell-word",
            "text-anchor": "middle",
          }),
        );
      low += q;
    });
    if (named && p * size > 30)
      root.append(
        label(x + (left + p / 2) * size, y - 5, world.names[a], { class: "f-tiny", "text-anchor": "middle" }),
      );
    left += p;
  });
}

/** @param {any} root @param {Frame} frame */
export function axes(root, { x, y, size }) {
  root.append(label(x + size / 2, y + size + 15, "u₁ →", { class: "f-tiny", "text-anchor": "middle" }));
  root.append(
    label(x - 6, y + size / 2, "u₂ →", {
      class: "f-tiny",
      "text-anchor": "middle",
      transform: `rotate(-90 ${x - 6} ${y + size / 2})`,
    }),
  );
}

/**
 * The second words of a recorded square, as letters.
 * @param {string} letters
 * @param {number} count of second words
 */
export function decoded(letters, count) {
  return Uint8Array.from(letters, (c) => {
    const pair = c.charCodeAt(0) - 49;
    return pair < 0 ? 255 : pair % count;
  });
}
