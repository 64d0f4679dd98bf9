// @ts-check
// Chapter 11: an own prompt, the paper's figures and where they are, five questions with answers, lesson plans.
import { el, label, stage, svg } from "../kit.js";

/** @param {any} place */
export function figure({ host, links, go }) {
  const picture = stage(({ root, w, h }) => {
    const names = [
      ["prompt + dice", "known before the call"],
      ["one call", "slots say the words"],
      ["check", "same dice, same words"],
      ["text", "as if one by one"],
    ];
    if (w < 520) return tall(root, w, h, names);
    const y = h / 2,
      gap = w / 4;
    names.forEach(([name, below], i) => {
      const x = gap * (i + 0.5),
        width = Math.min(150, gap - 14);
      root.append(
        svg("rect", {
          x: x - width / 2,
          y: y - 30,
          width,
          height: 60,
          rx: 10,
          class: `f-cell ${i === 3 ? "is-new" : "is-known"}`,
        }),
      );
      root.append(
        label(x, y - 2, name, {
          class: "f-word f-strong",
          "text-anchor": "middle",
          style: `font-size:${Math.min(14, width / 7.6)}px`,
        }),
      );
      root.append(
        label(x, y + 17, below, {
          class: "f-tiny",
          "text-anchor": "middle",
          style: `font-size:${Math.min(11, width / 11.5)}px`,
        }),
      );
      if (i < 3)
        root.append(
          svg("path", { d: `M${x + width / 2 + 1} ${y}h${gap - width - 6}m-5 -4l5 4l-5 4`, class: "f-arrow" }),
        );
    });
    root.append(svg("path", { d: `M${gap * 2.5} ${y + 34}v22h${-gap}v-18m-4 5l4 -5l4 5`, class: "f-arrow" }));
    root.append(
      label(gap * 2, y + 72, "again, until the answer ends", { class: "f-small", "text-anchor": "middle" }),
    );
    return SAID;
  });
  host.append(
    picture.box,
    links
      ? form(links)
      : el(
          "div",
          { class: "learn-bar" },
          el("p", {
            class: "learn-says",
            text: "This is a copy without a server. In the running lab you can put your own prompt here.",
          }),
        ),
  );
  host.addEventListener("click", (/** @type {any} */ event) => {
    const to = event.target.closest?.("[data-go]");
    if (to) {
      event.preventDefault();
      go(to.dataset.go);
    }
  });
  return { show: () => picture.redraw(), picture: () => picture.root };
}

const SAID =
  "Prompt and dice go into one call. Its slots say several words. The check picks with the same dice, " +
  "and the words that agree join the text. Then again.";

/** The same from top to bottom. @param {any} root @param {number} w @param {number} h @param {string[][]} names */
function tall(root, w, h, names) {
  const gap = h / 4,
    width = w * 0.62,
    x = w / 2;
  names.forEach(([name, below], i) => {
    const y = gap * (i + 0.5),
      half = Math.min(24, gap * 0.36);
    root.append(
      svg("rect", {
        x: x - width / 2,
        y: y - half,
        width,
        height: 2 * half,
        rx: 9,
        class: `f-cell ${i === 3 ? "is-new" : "is-known"}`,
      }),
    );
    root.append(
      label(x, y - 2, name, { class: "f-word f-strong", "text-anchor": "middle" }),
      label(x, y + 14, below, { class: "f-tiny", "text-anchor": "middle" }),
    );
    if (i < 3)
      root.append(svg("path", { d: `M${x} ${y + half + 1}v${gap - 2 * half - 4}m-4 -5l4 5l4 -5`, class: "f-arrow" }));
  });
  return SAID;
}

/** @param {Record<string, string>} links */
function form(links) {
  const prompt = el("input", {
    type: "text",
    name: "prompt",
    "aria-label": "Your prompt",
    value: "Why is the sky blue?",
    maxlength: 300,
  });
  const open = (/** @type {string} */ page) => {
    location.href = `${links[page]}?${new URLSearchParams({ prompt: prompt.value || "Why is the sky blue?" })}`;
  };
  const node = el("form", { class: "learn-bar learn-ask-own" }, [
    prompt,
    el("button", { type: "submit", class: "learn-lit", text: "Race it" }),
    el("button", { type: "button", text: "See its dice", onclick: () => open("noise") }),
    el("button", {
      type: "button",
      text: "See what gets accepted",
      onclick: () => {
        location.href = links.acceptance;
      },
    }),
  ]);
  node.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    open("race");
  });
  return node;
}
