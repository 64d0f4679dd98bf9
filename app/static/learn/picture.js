// @ts-check
// Saves a figure as it stands: its computed look is written into a copy, so that the file needs no css.
import { el, svg } from "./kit.js";

const LOOK = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "opacity",
  "font-size",
  "font-family",
  "font-weight",
  "font-style",
  "text-anchor",
  "dominant-baseline",
];

/** @param {any} picture an <svg> @returns {{copy: any, width: number, height: number}} */
export function painted(picture) {
  const copy = picture.cloneNode(true);
  const from = [picture, ...picture.querySelectorAll("*")],
    to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((node, i) => {
    const look = getComputedStyle(node);
    for (const property of LOOK) to[i].style.setProperty(property, look.getPropertyValue(property));
    for (const name of ["class", "tabindex", "role", "data-key"]) to[i].removeAttribute(name);
  });
  const { width, height } = picture.viewBox.baseVal;
  const paper = getComputedStyle(picture).getPropertyValue("--ptp-panel").trim() || "#fff";
  copy.prepend(svg("rect", { width, height, fill: paper }));
  for (const [name, value] of [
    ["xmlns", "http://www.w3.org/2000/svg"],
    ["width", width],
    ["height", height],
  ])
    copy.setAttribute(name, value);
  return { copy, width, height };
}

/** @param {any} picture @param {string} name @param {"svg" | "png"} kind */
export async function savePicture(picture, name, kind) {
  const { copy, width, height } = painted(picture);
  const file = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  if (kind === "svg") {
    save(file, `${name}.svg`);
    return;
  }
  const image = new Image(),
    address = URL.createObjectURL(file);
  image.src = address;
  await image.decode();
  const canvas = el("canvas", { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  URL.revokeObjectURL(address);
  await new Promise((done) =>
    canvas.toBlob((/** @type {Blob} */ blob) => {
      save(blob, `${name}.png`);
      done(null);
    }),
  );
}

/** @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
