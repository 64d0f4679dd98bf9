// @ts-check
// The page's prose: paragraphs with *stress*, `code` and [[glossary terms]] become nodes. Text is never markup.
import { el } from "./kit.js";
import { term } from "../core/glossary.js";

const MARK = /(\[\[[^\]]+\]\]|`[^`]+`|\*[^*]+\*)/;

/** @param {string} text @returns {any[]} */
export function inline(text) {
  return text
    .split(MARK)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith("[[")) {
        const [name, shown] = part.slice(2, -2).split("|");
        return term(name, shown || name);
      }
      if (part.startsWith("`")) return el("code", { text: part.slice(1, -1) });
      if (part.startsWith("*")) return el("em", { text: part.slice(1, -1) });
      return document.createTextNode(part);
    });
}

/** @param {string[]} texts */
export const paragraphs = (texts) => texts.map((text) => el("p", {}, inline(text)));

/** The same without its marks, for what is spoken or drawn. @param {string} text */
export const bare = (text) => text.replace(/\[\[(?:[^\]|]*\|)?([^\]]+)\]\]/g, "$1").replace(/[`*]/g, "");
