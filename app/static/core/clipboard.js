// @ts-check
// Copying text, where need be without the clipboard's interface.

import { el } from "./dom.js";

/**
 * Copies a text; false where the browser does not allow it.
 * @param {string} text
 * @returns {Promise<boolean>}
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) { // no permission, or a page that is not served securely
    const box = el("textarea", { style: "position:fixed;opacity:0" });
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }
}
