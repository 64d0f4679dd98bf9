// @ts-check
// What a visitor takes away from a text and brings back: link and file.

import { copy } from "../core/clipboard.js";
import { ask } from "../core/run.js";
import { saveJson } from "../core/save.js";
import { receiveFiles, sendFile } from "../core/upload.js";
import { linkOf } from "./links.js";

/** @typedef {import("./history.js").Page} Page */

const NO_LINK = "No link can lead here: the text is from a file or another model, or too much was moved. "
  + "Download it and send the file.";

/**
 * Hears files that come, and returns what the buttons do.
 * @param {Page} page
 * @param {(event: any) => void} open shows a text that was read
 */
export function listenToFiles(page, open) {
  const { banner, server, view } = page;
  receiveFiles(page.root, view.file, async (file) => {
    const found = await sendFile(file, banner, "trace", (text) => ask(server, "open_file", { text }));
    if (found) open(found);
  });
  return {
    link: () => copyLink(page),
    save: () => download(page),
    open: () => view.file.click(),
  };
}

/** @param {Page} page */
async function copyLink({ state, banner }) {
  const url = new URL(window.location.href), wanted = linkOf(state);
  if (!wanted) {
    banner.say(NO_LINK, "info");
    return;
  }
  url.search = wanted;
  banner.say((await copy(url.href)) ? "Link copied." : url.href, "info");
}

/** @param {Page} page */
async function download({ state, banner, server }) {
  if (!state.now) return;
  const found = await ask(server, "export_run", { run: state.now.run });
  if (found.error) banner.say(found.error, "error");
  else saveJson(found.race, `ptp-noise-seed-${state.now.meta.seed}`);
}
