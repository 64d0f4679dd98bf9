// @ts-check
// The Learn page: opens the book in an element. The page of the lab and the static copy both come through `start`.
import { frame } from "./frame.js";
import { define } from "../core/glossary.js";
import { chapters } from "./book.js";
import { filled } from "./facts.js";
import { Run } from "../core/run.js";
import { cutText } from "../core/tab.js";
import { el } from "./kit.js";

/** Gradio's component: value is JSON {data, links}; further data comes from the server by name.
 * @param {{element: any, props: any, watch: any, server: any, trigger: any}} parts */
export function mount({ element, props, watch, server, trigger }) {
  const opening = JSON.parse(props.value);
  // Gradio's container hides what overflows it, and then no figure could stay while the page scrolls.
  document.head.append(el("style", { text: ".gradio-container { overflow: visible !important; }" }));
  const known = new Map(Object.entries(opening.data).map(([name, value]) => [name, Promise.resolve(value)]));
  start(element.querySelector("[data-learn]") || element, {
    data: (name) => {
      if (!known.has(name)) known.set(name, server.fetch_learn(name).then(JSON.parse));
      return /** @type {Promise<any>} */ (known.get(name));
    },
    links: opening.links,
    server: training({ props, watch, server, trigger }),
  });
}

/** Training on the server: starts and stops a run, and hands on what it streams. Values may merge on their way, so an
 * event counts by its ticket, never by its arrival. @param {any} parts */
function training({ props, watch, server, trigger }) {
  let heard = (/** @type {any} */ _) => {};
  const run = new Run({ ticket: null, busy: false }, server, () => {});
  const done = (/** @type {string} */ text) => heard({ kind: "done", text });
  watch("value", () => {
    const event = JSON.parse(props.value);
    if (run.isOver(event)) return;
    if (event.kind === "done") run.end();
    heard(event);
  });
  run.listen({
    queued: () => {},
    refused: () => {
      run.halt();
      done("The server could not take the run. Try again in a minute.");
    },
    waiting: (text) => heard({ kind: "waiting", text }),
    lost: (why) => {
      run.halt();
      done(why);
    },
  });
  return {
    cut: cutText(),
    train(/** @type {any} */ options, /** @type {(event: any) => void} */ listener) {
      heard = listener;
      trigger("train", { ...options, ticket: run.begin() });
    },
    stop() {
      run.halt();
      done("Stopped.");
    },
  };
}

/**
 * @param {any} host
 * @param {{data: (name: string) => Promise<any>, links: Record<string, string> | null, server: any}} source
 */
export async function start(host, source) {
  define(await source.data("glossary"));
  const root = el("div", { class: "learn" });
  host.replaceChildren(root);
  frame(root, filled(chapters, await source.data("facts")), source);
}
