// @ts-check
// Files for the visitor: text, tables, and pictures as SVG or PNG.

import { colour, el, svg, SVG } from "./dom.js";

const PAINT = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-family",
  "font-weight", "text-anchor",
];

/**
 * Downloads a file.
 * @param {string | Blob} content
 * @param {string} name
 * @param {string} [type] where the content is text
 */
export function save(content, name, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/**
 * Downloads a value as JSON.
 * @param {unknown} value
 * @param {string} name
 * @param {number} [indent]
 */
export const saveJson = (value, name, indent) =>
  save(JSON.stringify(value, null, indent), `${name}.json`, "application/json");

/**
 * Rows of plain values as CSV; text that a spreadsheet would run as a formula is quoted.
 * @param {(string | number)[][]} rows
 */
export const csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

/** @param {string | number} value */
function cell(value) {
  const text = typeof value === "string" && /^[=+@\t\r-]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/**
 * A copy of a picture with its computed look written into it, so that it needs no css.
 * @template {SVGElement} E
 * @param {E} picture
 */
export function painted(picture) {
  const copy = /** @type {E} */ (picture.cloneNode(true));
  const from = [picture, ...picture.querySelectorAll("*")];
  const to = /** @type {SVGElement[]} */ ([copy, ...copy.querySelectorAll("*")]);
  from.forEach((node, i) => {
    const look = getComputedStyle(node);
    for (const property of PAINT) to[i].style.setProperty(property, look.getPropertyValue(property));
    to[i].removeAttribute("class");
  });
  for (const property of ["position", "left", "top"]) copy.style.removeProperty(property); // its place is no part of it
  return copy;
}

/**
 * Saves an <svg> that carries its own colours, as kind "svg" or, at twice its size, "png".
 * @param {SVGElement} picture with a width and a height
 * @param {string} name
 * @param {string} kind
 */
export async function savePicture(picture, name, kind) {
  const text = new XMLSerializer().serializeToString(picture);
  if (kind === "svg") {
    save(text, `${name}.svg`, "image/svg+xml");
    return;
  }
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  await image.decode();
  const [width, height] = ["width", "height"].map((side) => 2 * Number(picture.getAttribute(side)));
  const canvas = el("canvas", { width, height });
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(2, 2);
  context.drawImage(image, 0, 0);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => blob && save(blob, `${name}.png`));
}

/**
 * Saves a picture as it stands on the page.
 * @param {SVGSVGElement} picture
 * @param {string} name
 * @param {string} kind
 */
export function saveShown(picture, name, kind) {
  const { width, height } = picture.viewBox.baseVal, copy = painted(picture);
  for (const [key, value] of Object.entries({ xmlns: SVG, width, height })) copy.setAttribute(key, String(value));
  copy.prepend(svg("rect", { width, height, fill: colour(picture, "panel") }));
  return savePicture(copy, name, kind);
}
