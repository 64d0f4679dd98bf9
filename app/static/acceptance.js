// The Acceptance page: a benchmark's figures, its exhibits, the questions behind a bar, and live runs.
// Its value is an event as a JSON string (app/benchmarks.py); everything else it asks the server for.
"use strict";

(function (lab) {
  const { el, counted } = lab;
  const OWN = "ptp-results";  // where the browser keeps the ids of its own results while the tab is open
  const LOST = "The server did not answer. Reload the page.";

  lab.acceptance = function (element, props, watch, server) {
    const root = element.querySelector(".ptp-acceptance");
    if (!root || root.dataset.ready) return;
    root.dataset.ready = "yes";
    const state = { list: [], view: null, method: "", picked: "", point: "", category: "", other: null, exhibits: [], others: null,
      ticket: null, busy: false, live: null, asked: 0, following: false };
    const view = build(root);
    let charts = [];

    // ---- what is shown ---------------------------------------------------------------------------------

    async function ask(name, request) {
      const found = await server[name](request).catch(() => null);
      return found || { error: LOST };
    }

    // Shows a result; what the wish names and the result has is chosen, the rest is as it was or as it opens.
    async function show(id, wish = {}, quiet = false) {
      const turn = (state.asked += 1);
      const found = await ask("fetch_result", { result: id });
      if (turn !== state.asked) return false;
      if (found.error) { banner(found.error, "error"); drawControls(); return false; }
      const before = state.view;
      state.view = found.view;
      keep(found.view);
      const wanted = { method: state.picked, point: state.point, category: state.category, ...wish };
      const points = found.view.points;
      state.point = wanted.point in points && (wanted.point || !before || wish.point !== undefined) ? wanted.point : found.point;
      state.method = points[state.point][wanted.method] ? wanted.method : found.method;
      if (!points[state.point][state.method]) state.point = found.point;
      if (wish.method) state.picked = state.method;
      state.category = found.view.categories.includes(wanted.category) ? wanted.category : "";
      await refresh(quiet);
      return true;
    }

    // Asks for the exhibits of what is chosen, and of what it is compared with, and draws all anew.
    async function refresh(quiet) {
      const turn = (state.asked += 1);
      const mine = ask("fetch_exhibits", { result: state.view.id, method: state.method, point: state.point, category: state.category });
      const theirs = state.other ? ask("fetch_exhibits", { ...state.other, category: otherCategory() }) : null;
      const [found, others] = [await mine, await theirs];
      if (turn !== state.asked) return;
      if (found.error) { banner(found.error, "error"); return; }
      state.exhibits = found.exhibits;
      state.others = others && !others.error ? others.exhibits : null;
      if (others && others.error) { state.other = null; banner(others.error, "error"); }
      remember();
      draw();
      if (!quiet) announce(summary());
    }
    const otherCategory = () => (state.other && state.other.result !== state.view.id && !entry(state.other.result)?.categories.includes(state.category) ? "" : state.category);
    const entry = (id) => state.list.find((one) => one.id === id);

    function keep(found) {  // into the list of results, new or anew
      const { id, name, origin, drafting, categories } = found, at = state.list.findIndex((one) => one.id === id);
      const line = { id, name, origin, drafting, categories };
      if (at < 0) state.list.push(line); else state.list[at] = line;
      if (origin === "shipped") return;
      try { sessionStorage.setItem(OWN, JSON.stringify(state.list.filter((one) => one.origin !== "shipped"))); } catch (error) { /* no storage: the list ends with the page */ }
    }

    function remember() {
      const url = new URL(window.location.href), theme = url.searchParams.get("__theme");
      const wanted = { result: state.view.id, method: state.method, point: state.point, category: state.category,
        with: state.other ? [state.other.result, state.other.method, state.other.point].join("|") : "", __theme: theme };
      url.search = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
      window.history.replaceState(null, "", url);
    }

    async function open(event) {
      state.list = event.list;
      try { state.list.push(...JSON.parse(sessionStorage.getItem(OWN) || "[]")); } catch (error) { /* as above */ }
      const query = new URL(window.location.href).searchParams;
      const [result, method, point] = (query.get("with") || "").split("|");
      if (method) state.other = { result, method, point: point || "" };
      if (event.view) {
        Object.assign(state, { view: event.view, method: event.method, point: event.point, exhibits: event.exhibits });
        keep(event.view);
      }
      draw();
      const wish = Object.fromEntries(["method", "point", "category"].filter((k) => query.has(k)).map((k) => [k, query.get(k)]));
      if (query.has("result") || method || Object.keys(wish).length) {
        const id = query.get("result") || event.view?.id;
        const found = id && await show(id, wish);
        const missed = found && ["method", "category"].find((k) => wish[k] && wish[k] !== state[k]);
        if (missed) banner(`This link names the ${missed} “${wish[missed]}”, which ${state.view.name} does not have. Shown instead: the whole result.`, "info");
      }
    }

    // ---- live runs -------------------------------------------------------------------------------------

    async function receive(event) {
      if (!event || typeof event !== "object") return;
      if (event.event === "open") { await open(event); return; }
      if (event.ticket && event.ticket !== state.ticket) return;  // of a run that was stopped
      if (event.event === "start") banner(`Starting: ${event.total} answers …`, "busy", 0);
      else if (event.event === "loading") banner(`${event.text} … ${Math.round(100 * event.share)} %`, "busy", event.share);
      else if (event.event === "progress") {
        banner(`${event.done} of ${event.total} answers${left(event.left)} · ${event.doing}`, "busy", event.done / event.total);
        if (event.result) follow(event.result);
      } else if (event.event === "error") { end(); banner(event.message, "error"); }
      else if (event.event === "done") { end(); await show(event.result); banner(null); announce(`The run is done. ${summary()}`); }
    }
    const left = (seconds) => (seconds === null || seconds === undefined ? "" : seconds < 90 ? `, about ${Math.ceil(seconds)} s left` : `, about ${Math.ceil(seconds / 60)} min left`);

    // The rows so far are shown while a run goes on, one request at a time; a visitor who looks at something
    // else, or at the questions behind a bar, is left alone until the end.
    async function follow(id) {
      const first = state.live !== id, looking = view.exhibits.contains(document.activeElement) || view.exhibits.querySelector(".ptp-behind");
      state.live = id;
      if (state.following || (!first && (state.view?.id !== id || looking))) return;
      state.following = true;
      if (first) { state.point = ""; state.category = ""; }
      await show(id, {}, true);
      state.following = false;
    }
    function busy(on) {
      state.busy = on;
      view.stop.hidden = !on;
      document.querySelector("#ptp-bench")?.classList.toggle("is-busy", on);
    }
    function end() { state.ticket = null; busy(false); }
    function halt() {
      if (state.ticket) server.stop_run({ ticket: state.ticket }).catch(() => null);
      end();
    }
    document.addEventListener("ptp:queued", (event) => {
      halt();
      state.ticket = event.detail;
      state.live = null;
      busy(true);
      banner("Waiting for the model: runs take turns …", "busy");
      view.banner.scrollIntoView({ block: "nearest" });
    });
    document.addEventListener("ptp:refused", () => {
      if (!state.busy) return;
      halt();
      banner("The server did not run this; its message says why.", "error");
    });
    view.stop.addEventListener("click", async () => {
      halt();
      banner(state.live ? "Stopped. The answers so far stay, in the list of results." : "Stopped before the first answer.", "info");
      if (state.live) await show(state.live);
      view.result.focus();
    });

    // ---- drawing ---------------------------------------------------------------------------------------

    function draw() {
      drawControls();
      view.empty.hidden = Boolean(state.view);
      view.body.hidden = !state.view;
      if (!state.view) return;
      drawFigures();
      drawTable();
      drawExhibits();
    }

    const figures = (method) => {
      const found = state.view.points[state.point][method];
      return found && (state.category ? found.by_category[state.category] : found.all);
    };
    const label = (method) => state.view.labels[method] || method;
    const kind = (category) => category.replace(/_/g, " ");

    function drawControls() {
      options(view.result, ["shipped", "live", "uploaded"].flatMap((origin) => state.list.filter((one) => one.origin === origin).map((one) => [one.id, `${one.name} (${origin})`])), state.view?.id);
      if (!state.view) return;
      options(view.category, [["", "every kind of question"], ...state.view.categories.map((c) => [c, kind(c)])], state.category);
      options(view.method, Object.keys(state.view.points[state.point]).map((m) => [m, label(m)]), state.method);
      const points = Object.keys(state.view.points).filter((p) => Object.keys(state.view.points[p]).length);
      options(view.point, points.map((p) => [p, p ? p.replace("=", " ").replace(/_/g, " ") : "outside the sweep"]), state.point);
      view.pointBox.hidden = points.length < 2;
      const choices = state.list.flatMap((one) => one.drafting.flatMap(([point, methods]) => methods.map((method) => [
        [one.id, method, point].join("|"), `${one.id === state.view.id ? "" : one.name + ": "}${state.view.labels[method] || method}${point ? ", " + point.replace("=", " ").replace(/_/g, " ") : ""}`,
      ])));
      const own = [state.view.id, state.method, state.point].join("|");
      options(view.other, [["", "nothing"], ...choices.filter(([value]) => value !== own)], state.other ? [state.other.result, state.other.method, state.other.point].join("|") : "");
    }
    function options(select, entries, chosen) {
      select.replaceChildren(...entries.map(([value, text]) => el("option", { value, text })));
      select.value = chosen || "";
      select.disabled = entries.length < 2 && select !== view.result;
    }

    const number = (value, digits = 2, unit = "") => (value === null || value === undefined ? "–" : value.toFixed(digits) + unit);
    const between = (pair, digits = 2) => (pair && pair[0] !== pair[1] ? `${pair[0].toFixed(digits)} to ${pair[1].toFixed(digits)}` : "");

    function drawFigures() {
      const f = figures(state.method);
      if (!f) return;
      const spread = between(f.speed_i);
      const cards = [
        [number(f.tpc), `tokens per call: ${counted(f.tokens, "token")} in ${counted(f.calls, "call")}`],
        [f.mal === null ? "–" : number(f.mal), f.mal === null ? "accepted length: nothing was drafted" : `mean accepted length; ${lab.percent(f.acc)} of ${counted(f.drafted, "draft")} accepted`],
        [number(f.speed, 2, "×"), `speed-up over our AR, measured${spread ? `; 95 % ${spread}` : ""}`],
        [f.same ? `${f.same[0] === f.same[1] ? "✓" : "≠"} ${f.same[0]} / ${f.same[1]}` : "–", f.same ? "answers identical to AR, token by token" : "draws noise of its own, so nothing to compare"],
      ];
      cards.forEach(([value, words], i) => {
        view.figures[i].value.textContent = value;
        view.figures[i].label.textContent = words;
        view.figures[i].box.classList.toggle("is-bad", i === 3 && Boolean(f.same) && f.same[0] !== f.same[1]);
      });
      view.where.textContent = state.view.where[state.point];
    }

    function summary() {
      const f = state.view && figures(state.method);
      if (!f) return "";
      const same = f.same ? ` ${f.same[0]} of ${f.same[1]} answers identical.` : "";
      return `${label(state.method)}${state.category ? ", " + kind(state.category) : ""}: ${number(f.tpc)} tokens per call, speed-up ${number(f.speed)} over ${counted(f.q, "question")}.${same}`;
    }

    const COLUMNS = [
      ["tokens per call", (f) => [number(f.tpc), between(f.tpc_i)]],
      ["accepted length", (f) => [number(f.mal)]],
      ["acceptance", (f) => [f.acc === null ? "–" : lab.percent(f.acc)]],
      ["ms per token", (f) => [number(f.ms, 1), between(f.ms_i, 1)]],
      ["speed-up over AR", (f) => [number(f.speed, 2, "×"), between(f.speed_i)]],
      ["over transformers", (f) => [number(f.hf, 2, "×")]],
      ["identical to AR", (f) => [f.same ? `${f.same[0] === f.same[1] ? "✓" : "≠"} ${f.same[0]} of ${f.same[1]}` : "–"]],
    ];

    function drawTable() {
      const methods = Object.keys(state.view.points[state.point]).filter(figures);
      const columns = COLUMNS.filter(([name]) => name !== "over transformers" || methods.some((m) => figures(m).hf !== null));
      const held = document.activeElement && view.table.contains(document.activeElement) ? document.activeElement.dataset.method : null;
      const head = el("tr", {}, [el("th", { scope: "col", text: "method" }), ...columns.map(([name]) => el("th", { scope: "col", text: name }))]);
      const body = methods.map((method) => {
        const f = figures(method), on = method === state.method;
        return el("tr", { class: on ? "is-on" : null }, [
          el("th", { scope: "row" }, el("button", { type: "button", "data-method": method, "aria-pressed": String(on), text: label(method) })),
          ...columns.map(([, cells]) => { const [value, spread] = cells(f); return el("td", {}, [el("span", { text: value }), spread ? el("small", { text: spread }) : null]); }),
        ]);
      });
      const q = methods.length ? figures(methods[0]).q : 0;
      const stopped = state.view.complete ? "" : " The run is not complete.";
      view.caption.textContent = `${state.category ? kind(state.category) : "Every kind"}, ${counted(q, "question")}. Small figures are 95 % intervals over questions.${stopped}`;
      view.table.replaceChildren(el("thead", {}, head), el("tbody", {}, body));
      if (held) view.table.querySelector(`[data-method="${held}"]`)?.focus();
    }

    function drawExhibits() {
      view.exhibits.style.minHeight = `${view.exhibits.offsetHeight}px`;  // so that the page does not jump
      const names = state.others ? [mine(), theirs()] : [mine()];
      charts = state.exhibits.map((exhibit) => {
        const other = (state.others || []).find((one) => one.id === exhibit.id && one.kind !== "lines") || null;
        return card(exhibit, other, other ? names : names.slice(0, 1));
      });
      view.exhibits.replaceChildren(...charts.map((one) => one.node));
      for (const one of charts) one.chart = lab.chart(one.figure, one.exhibit, one.other, (index, series) => behind(one, index, series));
      view.exhibits.style.minHeight = "";
      view.none.hidden = state.exhibits.some((one) => one.id === "position");
      view.none.textContent = `${label(state.method)} verified no draft here${state.category ? " for this kind of question" : ""}: by its nature, or because no draft budget paid on that machine. Choose another method${Object.keys(state.view.points).length > 1 ? " or setting" : ""} to look at acceptance.`;
    }
    const mine = () => named(state.view.id, state.method, state.point);
    const theirs = () => named(state.other.result, state.other.method, state.other.point);
    function named(id, method, point) {
      const words = state.view.labels[method] || method;
      return [words, point.replace("=", " ").replace(/_/g, " "), state.other && state.other.result !== state.view.id ? entry(id)?.name : ""].filter(Boolean).join(", ");
    }

    function card(exhibit, other, names) {
      const tool = (kind_) => el("button", { type: "button", class: "ptp-save", "data-save": kind_, text: kind_.toUpperCase(), "aria-label": `Save “${exhibit.title}” as ${kind_.toUpperCase()}` });
      const figure = el("div", { class: "ptp-figure-box" });
      const says = [exhibit.says, other ? `Hatched: ${other.says}` : null].filter(Boolean);
      const node = el("section", { class: "ptp-panel ptp-exhibit", "data-exhibit": exhibit.id, "aria-label": exhibit.title }, [
        el("div", { class: "ptp-exhibit-head" }, [el("h3", { text: exhibit.title }), tool("png"), tool("svg")]),
        el("p", { class: "ptp-what", text: exhibit.what }),
        lab.chartKey(exhibit, names), figure,
        ...says.map((sentence) => el("p", { class: "ptp-says", text: sentence })),
        el("p", { class: "ptp-over", text: exhibit.over }),
        other && other.over !== exhibit.over ? el("p", { class: "ptp-over", text: `Hatched: ${other.over}` }) : null,
        el("p", { class: "ptp-try" }, [el("b", { text: "Try: " }), el("span", { text: exhibit.try })]),
      ]);
      return { node, figure, exhibit, other, names, sentences: [exhibit.title, lab.chartKeyWords(exhibit, names), ...says, exhibit.over, other && other.over !== exhibit.over ? `Hatched: ${other.over}` : ""].filter(Boolean) };
    }

    // ---- from a bar to its questions -----------------------------------------------------------------

    async function behind(one, index, series) {
      const { exhibit } = one, source = series ? state.other : { result: state.view.id, method: state.method, point: state.point };
      const category = series ? otherCategory() : state.category;
      const item = (series ? one.other : exhibit).items[index], turn = state.asked;
      one.node.querySelector(".ptp-behind")?.remove();
      const box = el("div", { class: "ptp-behind", tabindex: "-1", role: "region", "aria-label": `Questions behind ${lab.itemName(exhibit, item)}` }, el("p", { class: "ptp-soft", text: "Looking …" }));
      one.node.append(box);
      const found = await ask("fetch_questions", { ...source, category, exhibit: exhibit.id, index });
      if (turn !== state.asked || !box.isConnected) return;
      box.replaceChildren(...(found.error ? [el("p", { class: "ptp-soft", text: found.error })] : questions(one, item, found, series)));
      box.focus({ preventScroll: true });
      box.scrollIntoView({ block: "nearest", behavior: lab.calm() ? "auto" : "smooth" });
      announce(found.error || `${counted(found.total, "question")} behind ${lab.itemName(exhibit, item)}.`);
    }

    function questions(one, item, found, series) {
      const close = el("button", { type: "button", class: "ptp-close", "aria-label": "Close the questions", text: "×" });
      const note = found.same_model ? "" : " The Race runs the lab's own model in float32, which is not this result's: its text will differ.";
      const head = el("p", { class: "ptp-behind-head" }, [
        el("b", { text: `${one.names[series]}, ${lab.itemName(one.exhibit, item)}: ` }),
        el("span", { text: `${counted(found.total, "question")}${found.total > found.questions.length ? `, the first ${found.questions.length} shown` : ""}. Open one to see its race.${note}` }),
      ]);
      const list = found.questions.map((q) => el("li", {}, [
        el("div", { class: "ptp-q-head" }, [
          el("span", { class: "ptp-q-count", text: q.says }),
          el("span", { class: "ptp-soft", text: `${kind(q.category)} · ${q.tokens} tokens in ${q.calls} calls · seed ${q.seed}` }),
          q.link ? el("a", { href: `./?${q.link}`, text: "Open its race", "aria-label": `Open the race of: ${lab.plain(q.prompt.slice(0, 80))}` }) : el("span", { class: "ptp-soft", text: "no race: its settings are beyond the Race page" }),
        ]),
        el("p", { class: "ptp-q-prompt", dir: "auto" }, flow(q.prompt)),
        q.text ? el("p", { class: "ptp-q-text", dir: "auto" }, flow(q.text)) : null,
      ]));
      return [close, head, el("ol", {}, list)];
    }
    // Text on one line: white space folded, what cannot be seen shown by its code point.
    const flow = (text) => lab.parts(text.replace(/\s+/g, " ").trim()).map((p) => (p.code ? el("i", { class: "ptp-code", text: p.code }) : el("bdi", { text: p.text || " " })));

    // ---- what a visitor does -------------------------------------------------------------------------

    function pick(method) { state.method = state.picked = method; refresh(); }
    view.result.addEventListener("change", () => show(view.result.value));
    view.category.addEventListener("change", () => { state.category = view.category.value; refresh(); });
    view.method.addEventListener("change", () => pick(view.method.value));
    view.point.addEventListener("change", () => {
      state.point = view.point.value;
      const methods = Object.keys(state.view.points[state.point]);
      if (!methods.includes(state.method)) [state.method] = methods;
      refresh();
    });
    view.other.addEventListener("change", () => {
      const [result, method, point] = view.other.value.split("|");
      state.other = method ? { result, method, point } : null;
      refresh();
    });
    root.addEventListener("click", (event) => {
      const method = event.target.closest("[data-method]"), save = event.target.closest("[data-save]"), action = event.target.closest("[data-do]");
      if (method) pick(method.dataset.method);
      else if (save) {
        const one = charts.find((c) => c.node.contains(save));
        lab.saveChart(one.figure, one.sentences, `ptp-${state.view.name}-${state.method}-${one.exhibit.id}`, save.dataset.save);
      } else if (event.target.closest(".ptp-behind .ptp-close")) shut(event.target.closest(".ptp-exhibit"));
      else if (action) ({ csv: () => download("csv"), json: () => download("json"), open: () => view.file.click(), link: copyLink })[action.dataset.do]?.();
    });
    root.addEventListener("keydown", (event) => {
      const box = event.target.closest(".ptp-behind");
      if (event.key === "Escape" && box) { event.preventDefault(); shut(box.closest(".ptp-exhibit")); }
    });
    function shut(section) {
      section.querySelector(".ptp-behind")?.remove();
      section.querySelector(".ptp-mark.is-chosen")?.focus();
    }
    async function copyLink() {
      const shipped = state.view && state.view.origin === "shipped";
      const done = await lab.copy(window.location.href);
      banner(`${done ? "Link copied." : "The link is in the address bar."}${shipped ? "" : " It works while the lab keeps this result in memory; download the JSON to keep it for good."}`, "info");
    }
    async function download(what) {
      if (!state.view) return;
      const found = await ask("export_result", { result: state.view.id, kind: what });
      if (found.error) banner(found.error, "error");
      else lab.save(found.text, found.name, what === "csv" ? "text/csv" : "application/json");
    }
    async function upload(file) {
      if (!file) return;
      const packed = /\.gz$/.test(file.name);
      if (file.size > 24 << 20) { banner(`${file.name} is larger than 24 MB, too large for a result here.`, "error"); return; }
      banner(`Reading ${file.name} …`, "busy");
      let found;
      try {
        const text = packed ? await new Response(file.stream().pipeThrough(new DecompressionStream("gzip"))).text() : await file.text();
        found = await ask("open_result", { text, name: file.name.replace(/\.json(\.gz)?$/, "") });
      } catch (error) {
        found = { error: packed ? "This compressed file is damaged or cut off." : "The file could not be read." };
      }
      if (found.error) banner(`${file.name}: ${found.error}`, "error");
      else if (await show(found.result)) banner(`${file.name} is open. Compare it with another result above.`, "info");
    }
    view.file.addEventListener("change", () => { upload(view.file.files[0]); view.file.value = ""; });
    root.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) { event.preventDefault(); root.classList.add("is-target"); } });
    root.addEventListener("dragleave", () => root.classList.remove("is-target"));
    root.addEventListener("drop", (event) => {
      root.classList.remove("is-target");
      if (event.dataTransfer.files.length) { event.preventDefault(); upload(event.dataTransfer.files[0]); }
    });

    function banner(text, kind_, share) {
      view.banner.hidden = !text;
      view.banner.className = "ptp-banner" + (kind_ === "error" ? " is-error" : kind_ === "busy" ? " is-running" : "");
      view.bannerText.textContent = text || "";
      view.bannerClose.hidden = kind_ === "busy";
      view.bannerBar.style.width = share === undefined ? "0" : `${100 * share}%`;
      if (kind_ === "error" || kind_ === "info") announce(text);
    }
    function announce(text) { view.spoken.textContent = text; }

    let width = 0;
    new ResizeObserver(() => {
      if (view.exhibits.clientWidth === width) return;
      width = view.exhibits.clientWidth;
      for (const one of charts) one.chart.draw();
    }).observe(view.exhibits);

    const hear = () => { if (props.value) receive(JSON.parse(props.value)); };
    watch("value", hear);
    hear();
    lab.acceptanceState = state;  // for tests
  };

  // ---- the fixed parts ---------------------------------------------------------------------------------

  function build(root) {
    const view = {};
    const chooser = (name, text) => {
      view[name] = el("select", { "data-choose": name });
      return el("label", { class: "ptp-choose" }, [el("span", { text }), view[name]]);
    };
    const button = (name, text, title) => el("button", { type: "button", "data-do": name, title, text });
    view.bannerText = el("span");
    view.bannerBar = el("i");
    view.stop = el("button", { type: "button", class: "ptp-stop", text: "Stop", hidden: true });
    view.bannerClose = el("button", { type: "button", class: "ptp-close", "aria-label": "Dismiss", text: "×", onclick: () => { view.banner.hidden = true; } });
    view.banner = el("div", { class: "ptp-banner", hidden: true }, [view.bannerText, view.stop, view.bannerClose, view.bannerBar]);
    view.figures = [0, 1, 2, 3].map(() => {
      const value = el("b"), words = el("span");
      return { value, label: words, box: el("div", { class: "ptp-figure" }, [value, words]) };
    });
    view.file = el("input", { type: "file", accept: ".json,.gz,application/json,application/gzip", hidden: true, "aria-label": "Benchmark result" });
    view.table = el("table", { class: "ptp-table" });
    view.caption = el("p", { class: "ptp-caption" });
    view.where = el("p", { class: "ptp-pill" });
    view.none = el("p", { class: "ptp-soft ptp-none", hidden: true });
    view.exhibits = el("div", { class: "ptp-exhibits" });
    view.spoken = el("p", { class: "ptp-spoken", "aria-live": "polite" });
    view.empty = el("p", { class: "ptp-panel", hidden: true, text: "No result came with this lab. Run a few questions above, or open a benchmark's JSON file." });
    view.pointBox = chooser("point", "Setting");
    view.body = el("div", {}, [
      el("div", { class: "ptp-figures" }, view.figures.map((f) => f.box)),
      el("section", { class: "ptp-panel ptp-table-box", "aria-label": "Methods side by side" }, [
        view.caption,
        el("div", { class: "ptp-scroll", tabindex: "0", role: "group", "aria-label": "Table of methods" }, view.table),
        view.where,
      ]),
      view.none, view.exhibits,
    ]);
    root.append(
      view.banner,
      el("div", { class: "ptp-controls" }, [chooser("result", "Result"), view.pointBox, chooser("category", "Questions"), chooser("method", "Method"), chooser("other", "Compare with"),
        el("div", { class: "ptp-tools" }, [button("open", "Open a file", "Open a benchmark's JSON"), button("csv", "CSV", "A line per question and method"), button("json", "JSON", "The whole result"), button("link", "Copy link", "Copy a link to this view"), view.file])]),
      view.empty, view.body, view.spoken,
    );
    return view;
  }
})(window.PTPLab);
