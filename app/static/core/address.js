// @ts-check
// The page's address: it always leads back to what is shown, if a link can.

export const LONGEST_LINK = 8000; // characters; servers refuse longer addresses

/** The query of the page's address. */
export const query = () => new URL(window.location.href).searchParams;

/**
 * Puts a query into the address; the visitor's theme stays in it.
 * @param {string | null | undefined} wanted null, or too long to be a link: none
 */
export function remember(wanted) {
  const url = new URL(window.location.href), theme = url.searchParams.get("__theme");
  const kept = wanted && wanted.length <= LONGEST_LINK ? wanted : "";
  url.search = [kept, theme ? `__theme=${theme}` : ""].filter(Boolean).join("&");
  window.history.replaceState(null, "", url);
}
