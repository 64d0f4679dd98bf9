// @ts-check
// The page's address: it always leads back to what is shown, if a link can. Pages that show the same text lead there
// from one another, and Back leads to what was shown before.

import { findAll } from "./dom.js";
import { ended, keep, keepModel, kept, ownModel } from "./tab.js";

export const LONGEST_LINK = 8000; // characters; servers refuse longer addresses
const LAST = "ptp-last"; // the query of the text that the visitor saw last, kept for the tab's other pages

/** The query of the page's address. */
export const query = () => new URL(window.location.href).searchParams;

/**
 * Puts a query into the address; the visitor's theme stays in it.
 * @param {string | null | undefined} wanted null, or too long to be a link: none
 * @param {boolean} [anew] something else is shown now: Back leads to what was shown before
 */
export function remember(wanted, anew = false) {
  const url = new URL(window.location.href), theme = url.searchParams.get("__theme");
  const kept = wanted && wanted.length <= LONGEST_LINK ? wanted : "";
  url.search = [kept, theme ? `__theme=${theme}` : ""].filter(Boolean).join("&");
  if (!anew || url.href === window.location.href) window.history.replaceState(null, "", url);
  else window.history.pushState(null, "", url);
  if (anew) listenToBack();
}

let listening = false;

/** Back and forth load what the address names. */
function listenToBack() {
  if (!listening) window.addEventListener("popstate", () => {
    ended(); // what was under way is not what the visitor goes back to
    window.location.reload();
  });
  listening = true;
}

/**
 * The text on screen: the links to pages of texts lead to it from now on.
 * @param {string | null | undefined} wanted its query; null: no link leads there
 */
export function rememberText(wanted) {
  keep(LAST, wanted && wanted.length <= LONGEST_LINK ? wanted : null);
  linkPages();
}

/** A model of the visitor's own was loaded: it goes to the other pages, too. @param {string} model as text */
export function rememberModel(model) {
  keepModel(model);
  linkPages();
}

/** Lets the links in the header lead to the text that the visitor saw last, by the visitor's own model. */
export function linkPages() {
  const last = kept(LAST), own = ownModel() ? "&own=1" : "";
  for (const link of findAll(document, ".ptp-header nav a[data-text]")) {
    const path = (link.getAttribute("href") || "").split("?")[0];
    link.setAttribute("href", last ? `${path}?${last}${own}` : path);
  }
}
