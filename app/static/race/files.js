// @ts-check
// What a visitor takes away from a race and brings back: link, file, pictures.

import { query } from "../core/address.js";
import { copy } from "../core/clipboard.js";
import { find } from "../core/dom.js";
import { ask } from "../core/run.js";
import { saveJson } from "../core/save.js";
import { receiveFiles, sendFile } from "../core/upload.js";
import { exportRace } from "./picture.js";

/** @typedef {import("./lanes.js").Page} Page */

/**
 * Hears files that come, and returns what the buttons do.
 * @param {Page} page
 * @param {import("../core/run.js").Server} server
 * @param {(event: any) => void} open shows a race that was read
 */
export function listenToFiles(page, server, open) {
  receiveFiles(page.root, page.view.file, (file) => upload(page, server, file, open));
  return {
    link: () => copyLink(page),
    save: () => download(page, server),
    open: () => page.view.file.click(),
    picture: () => exportRace(page, "png"),
    vector: () => exportRace(page, "svg"),
  };
}

/** @param {Page} page */
async function copyLink({ root, state, banner }) {
  const button = find(root, '[data-do="link"]');
  if (!query().has("prompt") && state.meta && state.meta.origin !== "recorded") {
    banner.announce("This race has no link: download it and send the file.");
    flash(button, "No link: download it");
    return;
  }
  const done = await copy(window.location.href);
  banner.announce(done ? "Link copied." : "The link is in the address bar.");
  flash(button, done ? "Copied" : "See the address");
}

/**
 * Puts words on a button for a moment.
 * @param {HTMLElement | null} button
 * @param {string} text
 */
function flash(button, text) {
  if (!button) return;
  button.dataset.label = button.dataset.label || button.textContent || "";
  button.textContent = text;
  setTimeout(() => { button.textContent = button.dataset.label || ""; }, 1500);
}

/**
 * @param {Page} page
 * @param {import("../core/run.js").Server} server
 */
async function download({ state, banner }, server) {
  if (!state.run) return;
  const found = await ask(server, "export_run", { run: state.run });
  if (found.error) banner.say(found.error, "error");
  else saveJson(found.race, `ptp-race-seed-${state.meta?.seed}`);
}

/**
 * @param {Page} page
 * @param {import("../core/run.js").Server} server
 * @param {File} file
 * @param {(event: any) => void} open
 */
async function upload({ banner }, server, file, open) {
  const found = await sendFile(file, banner, "trace", (text) => ask(server, "open_file", { text }));
  if (found) open(found);
}
