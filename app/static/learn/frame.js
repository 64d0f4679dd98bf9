// @ts-check
// The frame around the chapters: figures that stay while the prose moves, steps that are also slides, keys, links.
import { find } from "../core/dom.js";
import { button, calm, el } from "./kit.js";
import { section } from "./section.js";

/** @typedef {import("./section.js").Chapter} Chapter */
/** @typedef {import("./section.js").Place} Place */

const narrow = () => matchMedia("(max-width: 900px)").matches; // as in learn.css
const OFF_KEYS = "input:not([type=range]), textarea, select, [contenteditable]";

/**
 * @param {any} root
 * @param {Chapter[]} chapters
 * @param {{data: (name: string) => Promise<any>, links: any, server: any}} source
 */
export function frame(root, chapters, source) {
  const spoken = el("p", { class: "learn-spoken", "aria-live": "polite" });
  /** @type {Place[]} */ const places = [];
  /** @type {Map<string, any>} */ const figures = new Map();
  let at = 0,
    held = 0,
    opened = false;

  const say = (/** @type {string} */ text) => {
    spoken.textContent = text;
  };
  const sections = chapters.map((chapter, number) =>
    section(chapter, number, places, source, { present, figures, say }),
  );
  const where = el("span", { class: "learn-where" });
  const contents = el(
    "ol",
    {},
    chapters.map((c, i) => el("li", {}, el("a", { href: `#${c.id}`, text: c.title, "data-number": i }))),
  );
  const pager = el("div", { class: "learn-pager", role: "group", "aria-label": "Steps" }, [
    button("‹", () => go(at - 1), { "aria-label": "Back one step", title: "Back (left arrow)" }),
    where,
    button("›", () => go(at + 1), {
      "aria-label": "On to the next step",
      title: "On (Space or right arrow)",
      class: "is-on",
    }),
    button("Present", () => present(at), {
      class: "learn-present",
      title: "Large type, one step at a time. N shows the speaker's notes.",
    }),
    button("Leave", leave, { class: "learn-leave", title: "Back to reading (Escape)" }),
  ]);
  root.append(
    el("div", { class: "learn-opening" }, [
      el("h1", { text: "How a model can write ahead" }),
      el("p", {
        class: "learn-lead",
        text:
          "Parallel token prediction in twelve short chapters. Every figure is alive, and none of them " +
          "needs a running model.",
      }),
      el("nav", { class: "learn-contents", "aria-label": "Chapters" }, contents),
      el("p", { class: "learn-hint", text: "Scroll, or press Space. Dotted words open a short explanation." }),
    ]),
    ...sections,
    pager,
    spoken,
    el("div", { class: "learn-notes", hidden: true, role: "note" }),
  );

  /**
   * Makes a step the current one: its figure shows it, the address names it.
   * @param {number} index
   * @param {boolean} keep the address as it is
   */
  function arrive(index, keep = false) {
    const place = places[index];
    if (!place) return;
    const before = places[at];
    if (before.chapter !== place.chapter) figures.get(before.chapter.id)?.leave?.();
    at = index;
    places.forEach((p, i) => p.node.classList.toggle("is-active", i === index));
    sections.forEach((s, i) => s.classList.toggle("is-current", i === place.number));
    contents.querySelectorAll("a").forEach((/** @type {any} */ a, /** @type {number} */ i) => {
      if (i === place.number) a.setAttribute("aria-current", "step");
      else a.removeAttribute("aria-current");
    });
    const { title, steps } = place.chapter;
    where.textContent = `${place.number} · ${title} · ${place.step + 1} of ${steps.length}`;
    if (!keep) history.replaceState(history.state, "", `${location.pathname}${location.search}#${place.id}`);
    const notes = root.querySelector(".learn-notes");
    notes.replaceChildren(el("b", { text: "Notes " }), place.chapter.notes);
    awaken(place.number, () => figures.get(place.chapter.id)?.show(place.step));
    awaken(place.number + 1);
  }

  /** @param {number} index @param {boolean} [smooth] */
  function go(index, smooth = true) {
    index = Math.max(0, Math.min(places.length - 1, index));
    held = performance.now() + 700;
    const left = places[at].chapter;
    arrive(index);
    if (places[index].chapter !== left && !pager.contains(document.activeElement))
      find(sections[places[index].number], "h2")?.focus({ preventScroll: true }); // Tab goes on at its figure
    if (root.classList.contains("is-presenting")) root.scrollTop = 0;
    else
      places[index].node.scrollIntoView({
        block: narrow() ? "start" : "center",
        behavior: smooth && !calm() ? "smooth" : "auto",
      });
  }

  /** Builds a chapter's figure once its data is there. @param {number} number @param {() => void} [then] */
  function awaken(number, then = () => {}) {
    const chapter = chapters[number];
    if (!chapter) return;
    if (figures.has(chapter.id)) {
      then();
      return;
    }
    const host = find(sections[number], ".learn-host");
    if (!host) return;
    if (host.dataset.state === "loading") {
      host.addEventListener("ready", then, { once: true });
      return;
    }
    host.dataset.state = "loading";
    host.addEventListener("ready", then, { once: true });
    Promise.all((chapter.data || []).map(source.data))
      .then((data) => {
        host.replaceChildren();
        figures.set(
          chapter.id,
          chapter.figure({
            host,
            data,
            say,
            links: source.links,
            server: source.server,
            go: (/** @type {string} */ id) => goTo(id),
          }),
        );
        host.dataset.state = "ready";
        host.dispatchEvent(new Event("ready"));
      })
      .catch((error) => {
        host.dataset.state = "failed";
        host.replaceChildren(
          el("p", {
            class: "learn-failed",
            role: "alert",
            text: "This figure could not be loaded. Reload the page to try again.",
          }),
        );
        console.warn(error);
      });
  }

  /** @param {string} id "chapter" or "chapter.step" */
  function goTo(id, smooth = true) {
    const found = places.findIndex((p) => p.id === id || (p.chapter.id === id && p.step === 0));
    if (found >= 0) go(found, smooth);
    return found >= 0;
  }

  /** @param {number} index */
  function present(index) {
    root.classList.add("is-presenting");
    document.documentElement.classList.add("learn-still");
    go(index);
  }

  function leave() {
    root.classList.remove("is-presenting");
    root.querySelector(".learn-notes").hidden = true;
    document.documentElement.classList.remove("learn-still");
    go(at, false);
  }

  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!root.isConnected || event.ctrlKey || event.metaKey || event.altKey || target.closest(OFF_KEYS)) return;
    const inside = root.classList.contains("is-presenting");
    const owned = target.closest("input[type=range], button, a, summary, [tabindex='0']") && target !== root;
    if (event.key === "Escape" && inside) leave();
    else if (event.key === "n" || event.key === "N") {
      const notes = root.querySelector(".learn-notes");
      if (inside) notes.hidden = !notes.hidden;
    } else if (event.key === " " && !owned) {
      go(at + (event.shiftKey ? -1 : 1));
      event.preventDefault();
    } else if (event.key === "ArrowRight" && !target.closest("input")) {
      go(at + 1);
      event.preventDefault();
    } else if (event.key === "ArrowLeft" && !target.closest("input")) {
      go(at - 1);
      event.preventDefault();
    } else if (inside && event.key === "PageDown") {
      go(at + 1);
      event.preventDefault();
    } else if (inside && event.key === "PageUp") {
      go(at - 1);
      event.preventDefault();
    }
  });
  root.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const link = /** @type {Element} */ (event.target).closest('a[href^="#"]');
    if (link && goTo((link.getAttribute("href") || "").slice(1))) event.preventDefault(); // whatever the page's base is
  });
  addEventListener("hashchange", () => goTo(location.hash.slice(1)));

  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting || performance.now() < held || root.classList.contains("is-presenting")) continue;
        arrive(
          places.findIndex((p) => p.node === entry.target),
          !opened,
        );
        opened = true;
      }
    },
    { rootMargin: narrow() ? "-66% 0px -32% 0px" : "-52% 0px -46% 0px" },
  );
  places.forEach((place) => seen.observe(place.node));
  arrive(0, true);
  if (location.hash.length > 1) requestAnimationFrame(() => goTo(location.hash.slice(1), false));
}
