// @ts-check
// A die as a drawing.
import { svg } from "./kit.js";

/** @type {Record<number, number[][]>} */
const PIPS = {
  1: [[0, 0]],
  2: [
    [-1, -1],
    [1, 1],
  ],
  3: [
    [-1, -1],
    [0, 0],
    [1, 1],
  ],
  4: [
    [-1, -1],
    [1, -1],
    [-1, 1],
    [1, 1],
  ],
  5: [
    [-1, -1],
    [1, -1],
    [0, 0],
    [-1, 1],
    [1, 1],
  ],
  6: [
    [-1, -1],
    [1, -1],
    [-1, 0],
    [1, 0],
    [-1, 1],
    [1, 1],
  ],
};

/**
 * @param {number} x centre
 * @param {number} y centre
 * @param {number} size
 * @param {number} face
 * @param {string} [tone]
 */
export function die(x, y, size, face, tone = "") {
  const reach = size * 0.27;
  return svg("g", { class: `f-die ${tone}`, transform: `translate(${x}, ${y})` }, [
    svg("rect", { x: -size / 2, y: -size / 2, width: size, height: size, rx: size * 0.2 }),
    ...(PIPS[face] || []).map(([dx, dy]) => svg("circle", { cx: dx * reach, cy: dy * reach, r: size * 0.085 })),
  ]);
}
