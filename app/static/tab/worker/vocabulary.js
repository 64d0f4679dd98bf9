// @ts-check
// A byte-level BPE in the browser: text to tokens, as the `tokenizers` library cuts it, and tokens to text.

/** @typedef {{ tokens: string[], merges: number[][], cuts: string[], special: Record<string, number>, begin: number[],
 *   eos: number[] }} Words what app/tab/vocabulary.py writes */

const BROKEN = "\ufffd";
const escaped = (/** @type {string} */ text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

/** @param {string} text @param {RegExp} cut @returns {string[]} what the expression matches, and what lies between */
function pieces(text, cut) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(cut)) {
    if (!match[0]) continue;
    if (match.index > end) found.push(text.slice(end, match.index));
    found.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push(text.slice(end));
  return found;
}

export class Vocabulary {
  /** @param {Words} words */
  constructor(words) {
    this.words = words;
    this.special = new Map(Object.entries(words.special));
    this.eos = new Set(words.eos);
    const size = words.tokens.length;
    this.size = size;
    this.bytes = words.tokens.map((text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
    /** the token of each single byte @type {Map<number, number>} */
    this.single = new Map();
    const named = new Set(words.special ? Object.values(words.special) : []);
    words.tokens.forEach((text, token) => {
      if (text.length === 1 && !named.has(token)) this.single.set(text.charCodeAt(0), token);
    });
    /** @type {Map<number, { rank: number, whole: number }>} */
    this.merges = new Map(words.merges.map(([left, right, whole], rank) => [left * size + right, { rank, whole }]));
    this.cuts = words.cuts.map((cut) => new RegExp(cut, "gu"));
    const texts = [...this.special.keys()].sort((a, b) => b.length - a.length);
    this.marks = texts.length ? new RegExp(texts.map(escaped).join("|"), "gu") : null;
    /** words that were merged before @type {Map<string, number[]>} */
    this.known = new Map();
  }

  /** Token numbers of a text, what stands in front of every text included. @param {string} text @returns {number[]} */
  encode(text) {
    const parts = this.marks ? pieces(text, this.marks) : [text];
    return [...this.words.begin, ...parts.flatMap((part) => {
      const mark = this.special.get(part);
      if (mark !== undefined) return [mark];
      const found = this.cuts.reduce((all, cut) => all.flatMap((piece) => pieces(piece, cut)), [part]);
      return found.flatMap((word) => this.word(word));
    })];
  }

  /** The tokens of one word: the earliest merge first, from the left. @param {string} word @returns {number[]} */
  word(word) {
    const before = this.known.get(word);
    if (before) return before;
    const tokens = [...new TextEncoder().encode(word)].map((byte) => this.single.get(byte) ?? 0);
    for (;;) {
      let best = -1, found = { rank: Infinity, whole: 0 };
      for (let i = 0; i + 1 < tokens.length; i++) {
        const merge = this.merges.get(tokens[i] * this.size + tokens[i + 1]);
        if (merge && merge.rank < found.rank) [best, found] = [i, merge];
      }
      if (best < 0) break;
      tokens.splice(best, 2, found.whole);
    }
    this.known.set(word, tokens);
    return tokens;
  }

  /** The pieces of text that tokens bring. A token that ends inside a character brings "". @param {number[]} tokens */
  texts(tokens) {
    const decoder = new TextDecoder();
    const found = tokens.map((token) => this.eos.has(token) ? "" : decoder.decode(this.bytes[token], { stream: true }));
    const rest = decoder.decode();
    if (rest && found.length) found[found.length - 1] += rest;
    return found;
  }

  /** A token as a list shows it: its text, or its bytes where they are part of a character. @param {number} token */
  label(token) {
    if (this.eos.has(token)) return "⟨end⟩";
    const text = new TextDecoder().decode(this.bytes[token]);
    if (!text.includes(BROKEN)) return text;
    return `⟨${[...this.bytes[token]].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}⟩`;
  }
}
