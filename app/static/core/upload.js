// @ts-check
// Files that a visitor brings: by the dialog, or dropped on the view.

import { LARGEST } from "./shared.js";

/**
 * Hands every file that comes to `read`.
 * @param {HTMLElement} root what files may be dropped on
 * @param {HTMLInputElement} input
 * @param {(file: File) => void} read
 */
export function receiveFiles(root, input, read) {
  input.addEventListener("change", () => {
    if (input.files && input.files.length) read(input.files[0]);
    input.value = "";
  });
  root.addEventListener("dragover", (event) => {
    if (!event.dataTransfer || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    root.classList.add("is-target");
  });
  root.addEventListener("dragleave", () => root.classList.remove("is-target"));
  root.addEventListener("drop", (event) => {
    root.classList.remove("is-target");
    if (!event.dataTransfer || !event.dataTransfer.files.length) return;
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });
}

/**
 * Reads a file and sends its text; the banner tells how that goes. Returns the server's answer, null if there is none.
 * @param {File} file
 * @param {import("./banner.js").Banner} banner
 * @param {keyof typeof LARGEST} what the kind of file
 * @param {(text: string) => Promise<any>} send
 */
export async function sendFile(file, banner, what, send) {
  if (file.size > LARGEST[what].bytes) {
    banner.say(`${file.name} ${LARGEST[what].says}`, "error");
    return null;
  }
  banner.say(`Reading ${file.name} …`);
  const found = await textOf(file).then(send).catch((error) => ({ error: error.message }));
  const wrong = found.error || (found.event === "error" ? found.message : null);
  if (!wrong) return found;
  banner.say(`${file.name}: ${wrong}`, "error");
  return null;
}

/**
 * A file's text, unpacked where its name ends in .gz; an Error with a sentence if it cannot be read.
 * @param {File} file
 * @returns {Promise<string>}
 */
async function textOf(file) {
  const packed = /\.gz$/.test(file.name);
  try {
    if (!packed) return await file.text();
    return await new Response(file.stream().pipeThrough(new DecompressionStream("gzip"))).text();
  } catch (error) {
    throw new Error(packed ? "This compressed file is damaged or cut off." : "The file could not be read.");
  }
}
