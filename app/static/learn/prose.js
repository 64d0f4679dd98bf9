// @ts-check
// The page's prose: paragraphs with *stress*, `code` and [[glossary terms]] become nodes. Text is never markup.
import { el } from "./kit.js";
import { term } from "../core/glossary.js";

const MARK = /(\[\[[^\]]+\]\][.,:;?!)]*|`[^`]+`|\*[^*]+\*)/,
  MARKED = /^\[\[([^\]|]+)\|?([^\]]*)\]\](.*)$/;

/** @param {string} text @returns {any[]} */
export function inline(text) {
  return text
    .split(MARK)
    .filter(Boolean)
    .flatMap((part) => {
      if (part.startsWith("[[")) {
        const [name, shown, stop] = part.match(MARKED)?.slice(1) || [];
        const word = term(name, shown || name);
        if (!stop) return word;
        const short = (shown || name).length < 24; // longer ones may break where they are
        return short ? el("span", { class: "learn-glued" }, [word, stop]) : [word, stop]; // no line begins with a stop
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
