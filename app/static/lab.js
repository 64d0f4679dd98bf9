// Helpers of every view. Text of a model reaches the page as text only: textContent, never markup.
import { ticket } from "./core/tickets.js";

window.PTPLab = window.PTPLab || {};

(function (lab) {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "text") node.textContent = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of [].concat(children === undefined ? [] : children)) {
      if (child !== null && child !== undefined) node.append(child);
    }
    return node;
  }

  lab.el = (tag, attributes, children) => fill(document.createElement(tag), attributes, children);
  lab.svg = (tag, attributes, children) => fill(document.createElementNS(SVG, tag), attributes, children);

  // Characters that would move, hide or break text: shown by their code point instead.
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
  const GLYPHS = { " ": "␣", "\n": "↵", "\t": "⇥" };

  // A token's text as parts: {text} to show as it is, {glyph} for white space, {code} for what cannot be seen.
  lab.parts = function (text) {
    const parts = [];
    let plain = "";
    const flush = () => { if (plain) parts.push({ text: plain }); plain = ""; };
    const characters = Array.from(text);
    characters.forEach((character, i) => {
      const joins = /[\u200d\ufe0f]/.test(character) && i > 0;  // inside an emoji these belong
      if (character === " " && i > 0 && i < characters.length - 1 && characters[i - 1] !== " ") plain += character;
      else if (character in GLYPHS) { flush(); parts.push({ glyph: GLYPHS[character], breaks: character === "\n" }); }
      else if (UNSEEN.test(character) && !joins) {
        flush();
        parts.push({ code: "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") });
      } else plain += character;
    });
    flush();
    return parts;
  };

  // The same as one line of plain text, for labels and pictures.
  lab.plain = (text) => lab.parts(text).map((p) => p.text || p.glyph || "‹" + p.code + "›").join("");

  // The same as nodes. label stands in where the text is empty (part of a character, end of the text).
  lab.nodes = function (text, label) {
    if (!text) return [lab.el("i", { class: "ptp-code", text: label ? lab.plain(label) : "…" })];
    return lab.parts(text).map((p) =>
      p.text !== undefined ? lab.el("bdi", { text: p.text })
        : lab.el("i", { class: p.code ? "ptp-code" : "ptp-space", text: p.glyph || p.code }));
  };

  lab.percent = (x) => (x >= 0.0995 ? (100 * x).toFixed(0) : x >= 0.00995 ? (100 * x).toFixed(1) : (100 * x).toFixed(2)) + " %";
  lab.counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
  lab.calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  lab.save = function (content, name, type) {
    const blob = content instanceof Blob ? content : new Blob([content], { type });
    const link = lab.el("a", { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  lab.LONGEST_LINK = 8000;  // characters; servers refuse longer addresses

  lab.copy = async function (text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (error) {  // no permission, or a page that is not served securely
      const box = lab.el("textarea", { style: "position:fixed;opacity:0" });
      box.value = text;
      document.body.append(box);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      return done;
    }
  };

  // A copy of a picture with its computed look written into it, so that it needs no css.
  const PAINT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-family", "font-weight", "text-anchor"];
  lab.painted = function (picture) {
    const copy = picture.cloneNode(true), from = [picture, ...picture.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
    from.forEach((node, i) => {
      const look = getComputedStyle(node);
      for (const property of PAINT) to[i].style.setProperty(property, look.getPropertyValue(property));
      to[i].removeAttribute("class");
    });
    for (const property of ["position", "left", "top"]) copy.style.removeProperty(property);  // where it stood is no part of it
    return copy;
  };

  // Saves an <svg> that carries its own colours, as kind "svg" or, at twice its size, "png".
  lab.savePicture = async function (picture, name, kind) {
    const text = new XMLSerializer().serializeToString(picture);
    if (kind === "svg") { lab.save(text, `${name}.svg`, "image/svg+xml"); return; }
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    await image.decode();
    const [width, height] = ["width", "height"].map((side) => 2 * Number(picture.getAttribute(side)));
    const canvas = lab.el("canvas", { width, height });
    const context = canvas.getContext("2d");
    context.scale(2, 2);
    context.drawImage(image, 0, 0);
    URL.revokeObjectURL(image.src);
    canvas.toBlob((blob) => lab.save(blob, `${name}.png`));
  };

  // Saves a picture as it stands on the page.
  lab.saveShown = function (picture, name, kind) {
    const { width, height } = picture.viewBox.baseVal, copy = lab.painted(picture);
    for (const [key, value] of [["xmlns", SVG], ["width", width], ["height", height]]) copy.setAttribute(key, value);
    copy.prepend(lab.svg("rect", { width, height, fill: getComputedStyle(picture).getPropertyValue("--ptp-panel").trim() }));
    return lab.savePicture(copy, name, kind);
  };

  // Rows of plain values as CSV; text that a spreadsheet would run as a formula is quoted.
  lab.csv = (rows) => rows.map((row) => row.map((cell) => {
    const text = typeof cell === "string" && /^[=+@\t\r-]/.test(cell) ? `'${cell}` : String(cell);
    return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  }).join(",")).join("\r\n") + "\r\n";

  // What a status looks like beside its colour, and what it means. app/theme.py holds the same table.
  lab.STATUS = {
    accepted: { glyph: "", says: "drafted and right" },
    recovered: { glyph: "◥", says: "the target's own token in place of a wrong draft" },
    bonus: { glyph: "+", says: "the target's own token behind drafts that were all right" },
    rejected: { glyph: "×", says: "drafted and wrong" },
    discarded: { glyph: "·", says: "drafted behind a wrong one, so not used" },
    settled: { glyph: "=", says: "stands for the token that verification decides" },
    pending: { glyph: "", says: "drafted for the next call" },
    unused: { glyph: "", says: "drafted for an outcome that did not come true" },
  };

  lab.ticket = ticket;
})(window.PTPLab);
