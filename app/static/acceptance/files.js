// @ts-check
// What a visitor takes away from a result and brings back: link, tables, files.

import { copy } from "../core/clipboard.js";
import { save } from "../core/save.js";
import { receiveFiles, sendFile } from "../core/upload.js";
import { askServer, show } from "./results.js";

/** @typedef {import("./results.js").Page} Page */

/**
 * Hears files that come, and returns what the buttons do.
 * @param {Page} page
 * @returns {Record<string, () => void>}
 */
export function listenToFiles(page) {
  receiveFiles(page.root, page.view.file, (file) => upload(page, file));
  return {
    csv: () => download(page, "csv"),
    json: () => download(page, "json"),
    open: () => page.view.file.click(),
    link: () => copyLink(page),
  };
}

/** @param {Page} page */
async function copyLink({ state, banner }) {
  const passing = state.view && state.view.origin === "shipped" ? ""
    : " It works while the lab keeps this result in memory; download the JSON to keep it for good.";
  const done = await copy(window.location.href);
  banner.say(`${done ? "Link copied." : "The link is in the address bar."}${passing}`, "info");
}

/** @param {Page} page @param {string} kind */
async function download(page, kind) {
  if (!page.state.view) return;
  const found = await askServer(page, "export_result", { result: page.state.view.id, kind });
  if (found.error) page.banner.say(found.error, "error");
  else save(found.text, found.name, kind === "csv" ? "text/csv" : "application/json");
}

/** @param {Page} page @param {File} file */
async function upload(page, file) {
  const name = file.name.replace(/\.json(\.gz)?$/, "");
  const send = (/** @type {string} */ text) => askServer(page, "open_result", { text, name });
  const found = await sendFile(file, page.banner, "benchmark result", send);
  if (found && (await show(page, found.result))) {
    page.banner.say(`${file.name} is open. Compare it with another result above.`, "info");
  }
}
