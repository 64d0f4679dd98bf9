// @ts-check
// One chapter as nodes: its heading, its figure, its steps, each of which is a slide too.
import { saveShown } from "../core/save.js";
import { button, el } from "./kit.js";
import { bare, inline, paragraphs } from "./prose.js";

/**
 * @typedef {{ask?: string, prose: string[], slide?: string, take?: string, aside?: Aside,
 *   choices?: {text: string, right: boolean, says: string}[]}} Step
 * @typedef {{prose: string, page: string, query: string, text: string}} Aside
 * @typedef {{id: string, title: string, steps: Step[], notes: string, data?: string[],
 *   live?: {page: string, query?: string, text: string},
 *   appendix?: (links: Record<string, string> | null) => any,
 *   figure: (place: any) => {show: (step: number) => void, picture?: () => any, leave?: () => void}}} Chapter
 * @typedef {{chapter: Chapter, number: number, step: number, node: any, id: string}} Place
 */

/** One chapter: heading, figure, steps.
 * @param {Chapter} chapter
 * @param {number} number
 * @param {Place[]} places
 * @param {any} source
 * @param {{present: (i: number) => void, figures: Map<string, any>, say: (text: string) => void}} frame */
export function section(chapter, number, places, source, { present, figures, say }) {
  const first = places.length;
  const steps = chapter.steps.map((step, i) => {
    const node = el("div", { class: `learn-step${step.take ? " is-take" : ""}`, id: `${chapter.id}.${i + 1}` });
    places.push({ chapter, number, step: i, node, id: node.id });
    node.append(el("div", { class: "learn-slide" }, inline(step.take || step.ask || step.slide || step.prose[0])));
    if (step.ask) node.append(el("p", { class: "learn-ask" }, inline(step.ask)));
    if (step.take) node.append(el("p", { class: "learn-take" }, inline(step.take)));
    node.append(el("div", { class: "learn-text" }, paragraphs(step.prose)));
    if (step.choices) node.append(guess(step.choices, say));
    if (step.aside)
      node.append(
        el("aside", { class: "learn-aside" }, [...paragraphs([step.aside.prose]), live(step.aside, source.links)]),
      );
    if (step.take && chapter.live) node.append(live(chapter.live, source.links));
    return node;
  });
  const save = (/** @type {"svg" | "png"} */ kind) => {
    const picture = figures.get(chapter.id)?.picture?.();
    if (picture) saveShown(picture, `ptp-${chapter.id}`, kind).then(() => say(`Saved as ${kind.toUpperCase()}.`));
  };
  return el("section", { class: "learn-chapter", id: chapter.id, "aria-labelledby": `${chapter.id}-title` }, [
    el("h2", { id: `${chapter.id}-title`, tabindex: "-1" }, [
      el("span", { class: "learn-number", text: number }),
      chapter.title,
    ]),
    el("div", { class: "learn-body" }, [
      el("figure", { class: "learn-figure", "aria-label": `Figure: ${chapter.title}` }, [
        el("div", { class: "learn-host" }, el("p", { class: "learn-wait", text: "…" })),
        el("figcaption", {}, [
          button("Present from here", () => present(first)),
          button("SVG", () => save("svg"), { title: "Save this figure as SVG" }),
          button("PNG", () => save("png"), { title: "Save this figure as PNG" }),
        ]),
      ]),
      el("div", { class: "learn-prose" }, steps),
    ]),
    chapter.appendix?.(source.links),
  ]);
}

/**
 * The reader predicts before the figure tells.
 * @param {{text: string, right: boolean, says: string}[]} choices
 * @param {(text: string) => void} say
 */
function guess(choices, say) {
  const answer = el("p", { class: "learn-answer" });
  const buttons = choices.map((choice) =>
    button(
      choice.text,
      () => {
        buttons.forEach((b, i) => {
          b.classList.toggle("is-right", choices[i].right);
          b.classList.toggle("is-chosen", choices[i] === choice);
          b.setAttribute("aria-pressed", String(choices[i] === choice));
        });
        answer.replaceChildren(...inline(`${choice.right ? "Yes." : "Not quite."} ${choice.says}`));
        say(bare(answer.textContent || ""));
      },
      { "aria-pressed": "false" },
    ),
  );
  return el("div", { class: "learn-guess", role: "group", "aria-label": "Your guess" }, [...buttons, answer]);
}

/** @param {{page: string, query?: string, text: string}} to @param {Record<string, string> | null} links */
function live(to, links) {
  if (!links) return el("p", { class: "learn-live", text: `In the running lab: ${to.text} (${to.page} page)` });
  return el(
    "p",
    { class: "learn-live" },
    el("a", { href: `${links[to.page]}${to.query || ""}`, text: `${to.text} →` }),
  );
}
