// @ts-check
// The recorded tree of texts: what eight dice make the model write. Six faces a die; every text is the model's own.

/** @typedef {{words: string[], nodes: number[][]}} Tree nodes[i] = [first child, word of face 1, ..., of face 6] */

/**
 * The nodes that a row of faces walks through, and the words that it picks.
 * @param {Tree} tree
 * @param {number[]} dice
 */
export function walk(tree, dice) {
  const words = [],
    nodes = [];
  let node = 0;
  for (const face of dice) {
    const row = tree.nodes[node];
    nodes.push(node);
    words.push(tree.words[row[face]]);
    node = childOf(row, face);
  }
  return { words, nodes };
}

/** @param {number[]} row of a node @param {number} face */
export function childOf(row, face) {
  return row[0] < 0 ? -1 : row[0] + [...new Set(row.slice(1))].indexOf(row[face]);
}

/** The different words of a node and how many of the six faces pick each. @param {Tree} tree @param {number} node */
export function facesOf(tree, node) {
  /** @type {Map<string, number>} */ const count = new Map();
  for (const index of tree.nodes[node].slice(1))
    count.set(tree.words[index], (count.get(tree.words[index]) || 0) + 1);
  return [...count];
}

/** How many different texts the dice can give. @param {Tree} tree */
export const texts = (tree) =>
  tree.nodes.filter((row) => row[0] < 0).reduce((sum, row) => sum + new Set(row.slice(1)).size, 0);

export const OPENING = [4, 3, 5, 2, 5, 2, 3, 2];
