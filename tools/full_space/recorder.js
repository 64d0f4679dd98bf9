// Listens in a visitor's page: what the banner says and when, and whose marks come with anything that the page parses.
(() => {
  const MARK = /guest_\d{3}/g, parse = JSON.parse;
  const heard = { began: null, says: [], marks: [], toasts: [] };

  const note = (text) => {
    for (const mark of String(text).match(MARK) || []) {
      if (!heard.marks.includes(mark)) heard.marks.push(mark);
    }
  };
  JSON.parse = function parsed(text, ...more) {
    note(text);
    return parse.call(this, text, ...more);
  };
  // fetch's own parser does not go through JSON.parse
  Response.prototype.json = async function read() {
    return JSON.parse(await this.text());
  };

  const look = () => {
    if (heard.began === null) return;
    const banner = document.querySelector(".ptp-banner"), at = performance.now() - heard.began;
    const says = banner && !banner.hidden ? banner.querySelector("span").textContent : "";
    const last = heard.says[heard.says.length - 1];
    if (!last || last[1] !== says) heard.says.push([at, says]);
    for (const toast of document.querySelectorAll(".toast-text")) {
      if (!heard.toasts.includes(toast.textContent)) heard.toasts.push(toast.textContent);
    }
  };
  const listen = () => new MutationObserver(look).observe(document.documentElement, {
    childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ["hidden", "class"],
  });
  if (document.documentElement) listen();
  else document.addEventListener("DOMContentLoaded", listen);

  window.fullSpace = {
    heard,
    // Clicks at a moment of the wall clock, so that many pages click at once.
    clickAt(selector, moment) {
      setTimeout(() => {
        Object.assign(heard, { began: performance.now(), says: [], toasts: [] });
        document.querySelector(selector).click();
      }, Math.max(0, moment - Date.now()));
    },
    // The marks that stand on the page, in its text and in its fields.
    shown() {
      const fields = [...document.querySelectorAll("input, textarea")].map((field) => field.value);
      return [...new Set([document.body.innerText, ...fields].join("\n").match(MARK) || [])];
    },
  };
})();
