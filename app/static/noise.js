// The Noise view: a text with its tape, a needle on the chosen token's strip, and maps drawn on demand.
// Its value is an event as a JSON string, those of the Race view and: progress | map (app/noise_handlers.py).
"use strict";

(function (lab) {
  const { el } = lab;
  const LANES = ["ar", "ptp"];
  const CLOSE = 0.02;  // a u nearer than this to another token's bin
  const SETTLE = 450;  // ms after the last key at which a keyboard move counts as released
  const LAST = 0.9999999;

  lab.noise = function (element, props, watch, server, ask) {
    const root = element.querySelector(".ptp-noise");
    if (!root || root.dataset.ready) return;
    root.dataset.ready = "yes";
    const view = build(root);
    const state = { base: null, now: null, history: [], index: -1, position: null, u: null, part: { from: 0, to: 1 }, busy: false, ticket: null,
      asked: null, query: null, plotted: null, link: linked(), fetching: false, bins: new Map(), maps: new Map(), wanted: null };

    // ---- stories: a run, its two texts, its tape ------------------------------------------------------

    function story(event) {
      return { run: event.run, meta: event.meta, summary: event.summary, lanes: { ar: { tokens: [], calls: 0 }, ptp: { tokens: [], calls: 0 } } };
    }
    function add(target, name, chunk) {
      const lane = target.lanes[name];
      if (chunk.start > lane.calls) { complete(target); return; }  // an update was merged away
      for (const step of chunk.steps.slice(lane.calls - chunk.start)) {
        for (const token of step.e) { token.alone = token.src === "bonus" && !step.d.length; lane.tokens.push(token); }
        lane.calls += 1;
      }
    }
    const calls = (target, name) => (target.summary.lanes[name] || { calls: 0 }).calls;
    async function complete(target) {  // asks for whatever is missing
      if (target.fetching) return;
      target.fetching = true;
      for (const name of LANES) {
        while (target.lanes[name].calls < calls(target, name)) {
          const found = await server.fetch_steps({ run: target.run, lane: name, start: target.lanes[name].calls }).catch(() => null) || { error: "The server did not answer. Reload the page, or write the text again." };
          if (found.error || !found.steps.length) { target.fetching = false; banner(found.error || "A part of this text is missing.", "error"); return; }
          add(target, name, found);
        }
      }
      target.fetching = false;
      if (target === state.now && !state.busy) finish();
    }
    const tokens = (target) => (target ? (target.lanes.ar.tokens.length ? target.lanes.ar : target.lanes.ptp).tokens : []);
    const lead = () => tokens(state.now);
    const edits = () => ({ ...state.now.meta.edits });

    // A text that is whole: first one of a page, a new one, or an edited one.
    function finish() {
      if (state.asked !== "edit") {
        state.base = state.now;
        state.history = [state.now];
        state.index = 0;
        if (state.position === null || state.position >= lead().length) choose(telling(), true);
      } else if (state.history[state.index] !== state.now) {
        state.history = [...state.history.slice(0, state.index + 1), state.now];
        state.index += 1;
      }
      state.asked = null;
      state.u = null;
      const { link } = state;
      if (link && link.prompt !== null && link.prompt !== state.now.meta.prompt) { redraw(); return; }  // not its text yet
      state.link = null;
      remember();
      redraw();
      if (link) {
        if (link.position !== null) choose(Math.min(link.position, lead().length - 1), true);
        if (link.edits) edit(link.edits);
      }
    }
    // Among the first tokens, one that had about even odds and several rivals: there the needle does something.
    function telling() {
      const odds = (token) => Math.abs(token.pr - 0.5) + (token.c.length > 2 ? 0 : 1);
      return lead().slice(0, 24).reduce((best, token) => (odds(token) < odds(best) ? token : best)).p;
    }

    // ---- events --------------------------------------------------------------------------------------

    function receive(event) {
      if (!event || typeof event !== "object" || event.event === "shown") return;
      if (event.ticket && event.ticket !== state.ticket) return;  // of a run that was stopped
      if (event.event === "error") { failed(event.message); return; }
      if (event.event === "run") { setTimeout(() => document.querySelector("#ptp-run")?.click(), 50); return; }
      if (event.event === "start") { banner("Starting …"); announce("Started."); if (state.asked === "run") state.query = event.query; return; }
      if (event.event === "loading") { banner(`${event.text} … ${Math.round(100 * event.share)} %`, "busy", event.share); return; }
      if (event.event === "progress") { if (event.kind !== "bins") progress(event.kind, event.share); return; }
      if (event.event === "map") { mapped(event); return; }
      if (event.event === "open") { halt(); state.asked = "open"; state.query = event.query; banner(null); }
      if (!state.now || event.run !== state.now.run) {
        state.now = story(event);
        if (event.event === "open" || state.asked === "run") { state.position = null; state.base = null; }
      }
      Object.assign(state.now, { meta: event.meta, summary: event.summary });
      if (event.event === "steps") {
        banner(event.lane === "ar" ? "Decoding anew, token by token …" : "Decoding in parallel, same noise …", "busy");
        add(state.now, event.lane, event.chunk);
        redraw();
      } else if (event.event === "done") {
        busy(false);
        state.ticket = null;
        banner(null);
        announce(summaryText());
        complete(state.now);
      } else if (event.event === "open") complete(state.now);
    }

    function failed(message) {
      halt();
      banner(message, "error");
      if (state.asked === "edit" && state.index >= 0) { state.now = state.history[state.index]; state.asked = null; state.u = null; redraw(); }
      progress(null);
    }
    function halt() {
      if (state.ticket) server.stop_run({ ticket: state.ticket }).catch(() => null);
      state.ticket = null;
      busy(false);
      progress(null);
    }
    // Something else takes over: an edit under way is given up, a text under way stays as far as it came.
    function interrupt() {
      halt();
      if (state.asked === "edit") state.now = state.history[state.index];
      keep();
    }
    // What came so far is the text; where nothing came, all is as it was.
    function keep() {
      if (state.now && state.now.summary && lead().length && state.now !== state.history[state.index]) finish();
      else { state.asked = null; state.u = null; redraw(); }
    }
    function begin(what) {
      clearTimeout(state.timer);
      halt();
      state.ticket = lab.ticket();
      state.asked = what === "map" ? state.asked : what;
      busy(true);
      return state.ticket;
    }

    function edit(changes, redraw_) {
      if (state.busy) interrupt();
      if (!state.now || !state.base) return;
      const from = state.history[state.index];
      const request = { run: from.run, edits: { ...from.meta.edits, ...changes }, ticket: begin("edit") };
      if (redraw_) request.redraw = redraw_;
      for (const [position, u] of Object.entries(request.edits)) if (u === null) delete request.edits[position];
      state.old = from;
      banner("Waiting for the model: runs take turns …");
      ask.edit(request);
    }
    // Releases the needle: the text behind it is decoded anew. Noise behind it stays unless it is set free.
    function release(u) {
      if (u === null || state.position === null || !lead()[state.position]) return;
      const changes = { [state.position]: Math.min(Math.max(u, 0), LAST) };
      edit(changes, view.freeze.checked ? null : { behind: state.position, seed: Math.floor(Math.random() * 2 ** 31) });
    }
    function draw(kind) {
      if (!state.now || state.position === null || state.index < 0) return;
      if (state.busy) interrupt();
      ask.map({ kind, run: state.history[state.index].run, position: state.position, ticket: begin("map") });
      if (kind !== "bins") progress(kind, 0);
    }
    function mapped(event) {
      busy(false);
      state.ticket = null;
      banner(null);
      progress(null);
      const key = `${event.kind} ${event.run} ${event.position}`;
      state.maps.set(key, event.map);
      if (event.kind === "bins") state.bins.set(`${event.run} ${event.position}`, event.map);
      if (event.kind === "staircase") {
        state.bins.set(`${event.run} ${event.position}`, event.map.target);
        state.plotted = key;  // the plot under the cards is one for all tokens
      }
      if (view.cards[event.kind]) delete view.cards[event.kind].body.dataset.shown;
      if (state.now.run === event.run && state.position === event.position) { show(event.kind); drawStrip(); }
    }
    const keyOf = (kind) => `${kind} ${state.now.run} ${state.position}`;
    const found = (kind) => (state.now ? state.maps.get(keyOf(kind)) : null);

    // ---- choosing and moving -------------------------------------------------------------------------

    function choose(position, quiet) {
      const last = lead().length - 1;
      if (last < 0) return;
      clearTimeout(state.timer);
      state.position = Math.min(Math.max(position, 0), last);
      state.u = null;
      state.part = { from: 0, to: 1 };
      view.zoom.value = 0;
      redraw();
      if (!quiet) announce(`token ${state.position + 1}: ${lab.plain(chosen().t || chosen().l)}`);
      clearTimeout(state.wanted);
      // what the recorded candidates leave out is asked for when the visitor stays
      if (!quiet && chosen().om > 0.002 && !state.busy) state.wanted = setTimeout(() => { if (!state.busy) draw("bins"); }, 500);
    }
    const chosen = () => {
      const token = lead()[state.position];
      if (!token) return null;
      const whole = state.bins.get(`${state.now.run} ${state.position}`);
      return whole ? { ...token, c: whole.c, om: whole.om, ex: whole.ex, xm: whole.xm } : token;
    };
    // What u would pick, from the bins that are here already; null where the list leaves tokens out.
    const candidateAt = (token, u) => token.c.find(([, prob, left]) => u >= left && u < left + prob) || null;

    // While the needle moves, only it and the token's preview change: no layout, no server.
    function move(u, isKey) {
      const token = chosen();
      if (!token) return;
      state.u = Math.min(Math.max(u, 0), LAST);
      const hit = candidateAt(token, state.u), safe = hit ? hit[3] : state.u >= token.lo && state.u < token.hi;
      placeNeedle();
      view.number.value = state.u.toFixed(5);
      view.strip.setAttribute("aria-valuenow", state.u.toFixed(4));
      view.strip.setAttribute("aria-valuetext", `${state.u.toFixed(4)}, ${hit ? lab.plain(hit[0]) : "a rarer token"}`);
      view.preview.className = `nz-preview ${safe ? "is-safe" : "is-flip"}`;
      view.preview.replaceChildren(
        el("span", { class: "ptp-name" }, lab.nodes(token.t, token.l)), document.createTextNode(safe ? " stays: same bin, same text" : " → "),
        ...(safe ? [] : [el("span", { class: "ptp-name" }, hit ? lab.nodes(hit[0]) : [document.createTextNode("a rarer token")])]));
      const node = view.text.querySelector(`[data-position="${state.position}"] .nz-word`);
      if (node) node.replaceChildren(...(hit ? lab.nodes(safe ? token.t : hit[0], token.l) : [document.createTextNode("…")]));
      for (const other of view.text.querySelectorAll(".nz-token")) other.classList.toggle("is-stale", !safe && Number(other.dataset.position) > state.position);
      if (isKey) { clearTimeout(state.timer); state.timer = setTimeout(() => release(state.u), SETTLE); }
    }

    function undo(by) {
      const index = state.index + by;
      if (index < 0 || index >= state.history.length) return;
      clearTimeout(state.timer);
      halt();
      banner(null);
      state.index = index;
      state.now = state.history[index];
      state.base = state.history[0];
      state.asked = null;
      state.u = null;
      state.position = Math.min(state.position, lead().length - 1);
      remember();
      redraw();
      announce(by < 0 ? "Undone." : "Done again.");
    }

    function nearestFlip() {
      const token = chosen();
      const options = [];
      if (token.lo > 1e-6) options.push([token.u - token.lo, token.lo - 2e-6]);
      if (token.hi < 1 - 1e-6) options.push([token.hi - token.u, token.hi + 2e-6]);
      if (!options.length) { banner("No u picks another token here: this one is certain.", "info"); return; }
      const u = options.sort((a, b) => a[0] - b[0])[0][1];
      move(u);
      release(u);
    }

    // ---- drawing -------------------------------------------------------------------------------------

    let pending = false;
    function redraw() {
      if (pending) return;
      pending = true;
      requestAnimationFrame(() => { pending = false; drawAll(); });
    }
    function drawAll() {
      if (!state.now) return;
      drawText();
      drawParallel();
      drawStrip();
      drawTools();
      for (const kind of ["square", "sweep", "staircase"]) show(kind);
    }

    function drawText() {
      const list = lead(), base = tokens(state.base), old = state.busy && state.asked === "edit" ? tokens(state.old) : [];
      const nodes = [];
      const put = (token, extra) => {
        nodes.push(tokenNode(token, extra));
        const breaks = (token.t.match(/\n/g) || []).length;
        if (breaks) nodes.push(el("br"));
        if (breaks > 1) nodes.push(el("br", { class: "ptp-gap" }));
      };
      list.forEach((token, i) => put(token, state.base && state.now !== state.base && (!base[i] || base[i].t !== token.t || base[i].l !== token.l) ? "is-changed" : ""));
      old.slice(list.length).forEach((token) => put(token, "is-stale"));
      const focused = view.text.contains(document.activeElement);
      const place = view.text.scrollTop;
      view.text.replaceChildren(...nodes);
      view.text.scrollTop = place;
      if (focused) view.text.querySelector(".nz-token.is-selected")?.focus();
      const differing = view.text.querySelectorAll(".nz-token.is-changed").length;
      const made = Object.keys(state.now.meta.edits).length;
      view.textInfo.textContent = `${list.length} tokens` + (made ? ` · ${made} u's moved` : "") + (differing ? ` · ${differing} tokens differ from the original` : "");
    }
    function tokenNode(token, extra) {
      const edited = String(token.p) in state.now.meta.edits, close = token.m !== null && token.m < CLOSE;
      const says = `token ${token.p + 1}, ${lab.plain(token.t || token.l)}, u ${token.u.toFixed(3)}, bin ${token.lo.toFixed(3)} to ${token.hi.toFixed(3)}` +
        (close ? ", close to another token" : "") + (edited ? ", noise moved" : "") + (extra === "is-changed" ? ", differs from the original" : "");
      return el("button", {
        type: "button", tabindex: token.p === state.position ? "0" : "-1", "data-position": token.p, "aria-label": says, title: says,
        "aria-pressed": token.p === state.position ? "true" : "false",
        class: ["nz-token", extra, edited ? "is-edited" : "", close ? "is-close" : "", token.p === state.position ? "is-selected" : ""].join(" "),
      }, [
        el("span", { class: "nz-word" }, lab.nodes(token.t, token.l)),
        el("span", { class: "nz-u", "aria-hidden": "true" }, [
          el("i", { style: `bottom:${100 * token.lo}%;height:${Math.max(100 * (token.hi - token.lo), 3)}%` }), el("b", { style: `bottom:${100 * token.u}%` }),
        ]),
      ]);
    }

    function drawParallel() {
      const lane = state.now.lanes.ptp.tokens, s = state.now.summary;
      view.parallel.replaceChildren(...lane.flatMap((token) => {
        const status = token.alone ? "plain" : token.src;
        const node = el("button", { type: "button", tabindex: "-1", class: `ptp-token is-${status}${token.p === state.position ? " is-selected" : ""}`, "data-position": token.p,
          "aria-label": `parallel token ${token.p + 1}, ${lab.plain(token.t || token.l)}` }, lab.nodes(token.t, token.l));
        return /\n/.test(token.t) ? [node, el("br")] : [node];
      }));
      const both = s.lanes.ar && s.lanes.ptp && !state.busy;
      const uneven = both && s.divergence === null && s.lanes.ar.tokens !== s.lanes.ptp.tokens;
      view.same.textContent = !both ? "" : uneven ? `✓ the same as far as both came, ${Math.min(s.lanes.ar.tokens, s.lanes.ptp.tokens)} tokens` : s.divergence === null ? `✓ same ${s.lanes.ptp.tokens} tokens in ${s.lanes.ptp.calls} calls (${s.lanes.ar.calls} one by one)` : `≠ from token ${s.divergence + 1} on`;
      view.same.classList.toggle("is-bad", Boolean(both && s.divergence !== null));
    }

    function drawStrip() {
      const token = chosen();
      view.controls.hidden = !token;
      if (!token) { view.title.textContent = "Choose a token"; return; }
      view.title.replaceChildren(document.createTextNode(`Token ${token.p + 1} `), el("span", { class: "ptp-name" }, lab.nodes(token.t, token.l)));
      const draft = found("staircase");
      view.strip.replaceChildren(lab.strip({ ...token, u: -1 }, state.part), ...lab.stripLabels(token, state.part), view.needle, view.bubble);
      view.band.replaceChildren(...(draft && draft.kind ? band(draft) : []));
      const margin = token.m === null ? "no other token is possible" : `${token.m.toFixed(4)} from being another token`;
      view.facts.textContent = `u = ${token.u.toFixed(5)} lies in the bin ${token.lo.toFixed(4)} to ${token.hi.toFixed(4)} (probability ${token.pr.toFixed(3)}): ${margin}.`;
      view.excluded.replaceChildren(...(token.ex.length ? [
        document.createTextNode(`Removed by top-k and top-p (${lab.percent(token.xm)} of the mass): `),
        ...token.ex.map(([text, prob]) => el("span", {}, [...lab.nodes(text), document.createTextNode(` ${lab.percent(prob)}`)]))] : []),
        ...(token.om > 0.0005 ? [document.createTextNode(` Not listed: ${lab.percent(token.om)}.`)] : []));
      if (state.u === null) {
        view.number.value = token.u.toFixed(5);
        view.strip.setAttribute("aria-valuenow", token.u.toFixed(4));
        view.strip.setAttribute("aria-valuetext", `${token.u.toFixed(4)}, ${lab.plain(token.t || token.l)}`);
        view.preview.className = "nz-preview";
        view.preview.textContent = "Each box is a token, as wide as it is probable. Try: drag the needle into another box.";
      }
      placeNeedle();
    }
    function band(draft) {
      const label = draft.kind === "argmax" ? "what the PTP draft makes of each u here" : "the distribution that the PTP draft holds here";
      const scale = 1 / (state.part.to - state.part.from);
      return [el("span", { class: "ptp-soft nz-small", text: label }), el("div", { class: "nz-band" }, draft.draft.filter(([a, b]) => b > state.part.from && a < state.part.to).map(([a, b, [token]]) => {
        const from = Math.max((a - state.part.from) * scale, 0), to = Math.min((b - state.part.from) * scale, 1);
        const text = draft.texts[token] || "", own = text === (chosen().c.find((c) => (a + b) / 2 >= c[2] && (a + b) / 2 < c[2] + c[1]) || [])[0];
        return el("span", { class: own ? "is-right" : "is-wrong", style: `left:${100 * from}%;width:${100 * (to - from)}%`, title: `${lab.plain(text)}, u from ${a.toFixed(3)} to ${b.toFixed(3)}` }, to - from > 0.05 ? lab.nodes(text) : []);
      }))];
    }
    function placeNeedle() {
      const token = chosen();
      const u = state.u === null ? token.u : state.u, { from, to } = state.part;
      const at = (u - from) / (to - from);
      view.needle.style.left = `${100 * at}%`;
      view.needle.hidden = at < 0 || at > 1;
      view.bubble.style.left = `${100 * Math.min(Math.max(at, 0.03), 0.97)}%`;
      view.bubble.textContent = u.toFixed(to - from < 0.1 ? 5 : 3);
    }
    function setZoom(power) {
      const width = 1 / 2 ** power, token = chosen();
      if (!token) return;
      const u = state.u === null ? token.u : state.u;
      const from = Math.min(Math.max(u - width / 2, 0), 1 - width);
      state.part = { from, to: from + width };
      drawStrip();
    }

    function drawTools() {
      const made = state.now.meta.edits;
      view.doing.undo.disabled = state.index <= 0;
      view.doing.redo.disabled = state.index >= state.history.length - 1;
      view.doing.restore.disabled = !(String(state.position) in made);
      view.doing.all.disabled = !state.base || state.now === state.base;
      const s = state.now.meta.sampling;
      view.pill.textContent = `${state.now.meta.origin} · ${state.now.meta.model} · seed ${state.now.meta.seed} · T ${s.temperature} · top-k ${s.top_k || "off"} · top-p ${s.top_p} · order of ${s.order === "probability" ? "probability" : "token id"} · ${state.now.meta.device} ${state.now.meta.dtype}`;
    }

    // ---- maps ----------------------------------------------------------------------------------------

    function progress(kind, share) {
      for (const [name, card] of Object.entries(view.cards)) {
        const on = name === kind;
        card.bar.hidden = !on;
        card.button.textContent = on ? "Stop" : "Draw";
        if (on) card.bar.firstChild.style.width = `${100 * share}%`;
      }
    }
    function show(kind) {
      if (kind === "bins") return;
      const card = view.cards[kind], map = kind !== "staircase" || keyOf(kind) === state.plotted ? found(kind) : null;
      if (kind === "staircase") document.querySelector("#ptp-stairs")?.classList.toggle("is-elsewhere", !map);
      card.tools.hidden = !map;
      if (!map) { card.body.replaceChildren(); return; }
      if (card.body.dataset.shown === `${state.now.run} ${state.position}` && card.body.childNodes.length) return;
      card.body.dataset.shown = `${state.now.run} ${state.position}`;
      const tape = (i) => (lead()[i] ? lead()[i].u : 0.5);
      if (kind === "square") {
        card.body.replaceChildren(...lab.square(map, { u1: tape(state.position), u2: tape(state.position + 1) },
          (u1, u2) => edit({ [state.position]: Math.min(u1, LAST), [state.position + 1]: Math.min(u2, LAST) })).filter(Boolean));
      } else if (kind === "sweep") {
        card.body.replaceChildren(...lab.sweep(map, tape(state.position), (u) => { move(u); release(u); }));
      } else {
        card.body.replaceChildren(el("p", { class: "ptp-facts", text: map.kind === null ? "This adapter's draft begins one token later, or there is none: only the target's staircase is drawn." :
          `Draft and target give the same token on ${(100 * map.agreement).toFixed(0)} % of u; total variation of their shares ${map.total_variation.toFixed(2)}.` +
          (map.probes ? ` Of ${map.probes[0]} further points asked, the draft's map has ${map.probes[1]} wrong.` : "") }));
      }
      card.cost.textContent = `${map.calls} model calls`;
      announce(`${kind} drawn.`);
    }
    async function exportStrip(what, format) {
      const token = chosen();
      if (!token) return;
      const name = what === "tape" ? `ptp-tape-seed-${state.now.meta.seed}` : `ptp-bins-token-${token.p + 1}`;
      if (format === "csv") lab.save(lab.csv(what === "tape" ? lab.tapeRows(lead()) : lab.stripRows(token)), `${name}.csv`, "text/csv");
      else if (format === "json") lab.save(JSON.stringify(token, null, 1), `${name}.json`, "application/json");
      else {
        const picture = lab.stripPicture(token, found("staircase"));
        root.append(picture);  // its look is computed where css applies
        await lab.saveShown(picture, name, format);
        picture.remove();
      }
    }
    async function exportMap(kind, format) {
      if (kind === "tape" || kind === "bins") { await exportStrip(kind, format); return; }
      const map = found(kind);
      if (!map) return;
      const name = `ptp-${kind}-token-${state.position + 1}`;
      if (format === "json") lab.save(JSON.stringify(map, null, 1), `${name}.json`, "application/json");
      else if (format === "csv") {
        const rows = kind === "square" ? lab.squareRows(map) : kind === "sweep" ? lab.sweepRows(map)
          : [["of", "token", "u_from", "u_to"], ...map.target.c.map(([text, prob, left]) => ["target", text, left, left + prob]), ...map.draft.map(([a, b, [t]]) => ["draft", map.texts[t], a, b])];
        lab.save(lab.csv(rows), `${name}.csv`, "text/csv");
      } else if (kind === "staircase") {
        const plot = document.querySelector("#ptp-stairs .js-plotly-plot");
        if (plot) await lab.savePicture(lab.plotPicture(plot), name, format);
      } else for (const picture of view.cards[kind].body.querySelectorAll("svg")) {
        const which = picture.classList.contains("nz-square") ? `-${picture.getAttribute("class").split("is-")[1]}` : "";
        await lab.saveShown(picture, name + which + (kind === "sweep" && picture !== view.cards[kind].body.querySelector("svg") ? "-draft" : ""), format);
      }
    }

    // ---- small things --------------------------------------------------------------------------------

    function banner(text, kind, share) {
      view.banner.hidden = !text;
      view.banner.className = `ptp-banner is-${kind || "busy"}`;
      view.bannerText.textContent = text || "";
      view.bannerClose.hidden = kind !== "error" && kind !== "info";
      view.bannerBar.style.width = share === undefined ? "0" : `${100 * share}%`;
      if (kind === "error") announce(text);
    }
    function busy(on) { state.busy = on; document.querySelector("#ptp-ask")?.classList.toggle("is-busy", on); }
    function announce(text) { view.spoken.textContent = text; }
    function summaryText() {
      const s = state.now.summary;
      return `${lead().length} tokens decoded. ` + (s.divergence === null ? "Both lanes are identical." : "");
    }
    function linked() {
      const query = new URL(window.location.href).searchParams;
      const found = {};
      for (const part of (query.get("edits") || "").split(",")) {
        const [position, u] = part.split(":").map(Number);
        if (Number.isInteger(position) && position >= 0 && u >= 0 && u < 1) found[position] = u;
      }
      const position = query.get("position") === null ? null : Math.max(0, Number(query.get("position")) - 1 || 0);
      const prompt = query.get("prompt");
      return prompt === null && position === null && !Object.keys(found).length ? null : { prompt, position, edits: Object.keys(found).length ? found : null };
    }
    // The link that leads here: what wrote the text, and what was moved since; null where no link can.
    function query() {
      if (state.query === null) return null;
      const wanted = new URLSearchParams(state.query), made = Object.entries(state.now.meta.edits).filter(([p]) => Number(p) < lead().length);
      if (made.length) wanted.set("edits", made.map(([p, u]) => `${p}:${Number(u.toFixed(7))}`).join(","));
      if (state.position !== null) wanted.set("position", state.position + 1);
      return wanted.toString().length > lab.LONGEST_LINK ? null : wanted;
    }
    function remember() {
      if (state.base === state.now && state.base.meta.origin === "recorded" && !window.location.search) return;
      const url = new URL(window.location.href), theme = url.searchParams.get("__theme"), wanted = query() || new URLSearchParams();
      if (theme) wanted.set("__theme", theme);
      url.search = wanted.toString();
      window.history.replaceState(null, "", url);
    }
    async function upload(file) {
      if (!file) return;
      banner(`Reading ${file.name} …`);
      let found = null;
      try { found = await server.open_file({ text: await file.text() }); } catch (error) { found = null; }
      if (!found || found.error || found.event === "error") banner(`${file.name}: ${found ? found.error || found.message : "The server did not answer."}`, "error");
      else { receive(found); props.value = JSON.stringify({ event: "shown", run: found.run }); }
    }

    const DO = {
      undo: () => undo(-1), redo: () => undo(1), flip: nearestFlip, roll: () => { const u = Math.random(); move(u); release(u); },
      restore: () => edit({ [state.position]: null }), all: () => { state.history = [...state.history.slice(0, state.index + 1), state.history[0]]; state.index = state.history.length - 1; undo(0); },
      back: () => choose(state.position - 1), next: () => choose(state.position + 1),
      link: async () => {
        const url = new URL(window.location.href), wanted = query();
        if (!wanted) { banner("No link can lead here: the text is from a file or another model, or too much was moved. Download it and send the file.", "info"); return; }
        url.search = wanted.toString();
        banner(await lab.copy(url.href) ? "Link copied." : url.href, "info");
      },
      save: async () => {
        const found = await server.export_run({ run: state.now.run }).catch(() => null);
        if (!found || found.error) banner(found ? found.error : "The server did not answer.", "error");
        else lab.save(JSON.stringify(found.race), `ptp-noise-seed-${state.now.meta.seed}.json`, "application/json");
      },
      open: () => view.file.click(),
    };
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button || !root.contains(button)) return;
      if (button.dataset.position !== undefined) choose(Number(button.dataset.position));
      else if (button.dataset.map) { if (state.busy && button.textContent === "Stop") halt(); else draw(button.dataset.map); }
      else if (button.dataset.save) exportMap(...button.dataset.save.split(" "));
      else if (DO[button.dataset.do]) DO[button.dataset.do]();
    });
    root.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { event.preventDefault(); undo(event.shiftKey ? 1 : -1); return; }
      if (!event.target.closest(".nz-token")) return;
      const to = { ArrowLeft: state.position - 1, ArrowRight: state.position + 1, Home: 0, End: lead().length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(to);
    });
    // the needle
    const uAt = (event) => {
      const box = view.strip.getBoundingClientRect();
      return state.part.from + Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * (state.part.to - state.part.from);
    };
    view.strip.addEventListener("pointerdown", (event) => {
      if (!chosen() || event.button) return;
      event.preventDefault();
      view.strip.focus();
      view.strip.setPointerCapture(event.pointerId);
      state.dragging = true;
      if (state.busy) { interrupt(); banner(null); }  // the next drag takes over
      move(uAt(event));
    });
    view.strip.addEventListener("pointermove", (event) => { if (state.dragging) move(uAt(event)); });
    view.strip.addEventListener("pointerup", (event) => { if (state.dragging) { state.dragging = false; release(uAt(event)); } });
    view.strip.addEventListener("pointercancel", () => { state.dragging = false; state.u = null; redraw(); });
    view.strip.addEventListener("keydown", (event) => {
      const token = chosen();
      if (!token) return;
      const u = state.u === null ? token.u : state.u, step = (state.part.to - state.part.from) * (event.shiftKey ? 0.05 : 0.005);
      const to = { ArrowLeft: u - step, ArrowDown: u - step, ArrowRight: u + step, ArrowUp: u + step, PageDown: u - 20 * step, PageUp: u + 20 * step, Home: 0, End: LAST }[event.key];
      if (event.key === "Escape") { clearTimeout(state.timer); state.u = null; redraw(); return; }
      if (event.key === "Enter" && state.u !== null) { clearTimeout(state.timer); release(state.u); return; }
      if (to === undefined) return;
      event.preventDefault();
      move(to, true);
    });
    view.number.addEventListener("change", () => {
      const u = Number(view.number.value);
      if (view.number.value === "" || !(u >= 0 && u < 1)) { banner("u must lie in [0, 1).", "error"); drawStrip(); return; }
      move(u);
      release(u);
    });
    view.zoom.addEventListener("input", () => setZoom(Number(view.zoom.value)));
    view.file.addEventListener("change", () => { upload(view.file.files[0]); view.file.value = ""; });
    root.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
    root.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) { event.preventDefault(); upload(event.dataTransfer.files[0]); } });
    document.addEventListener("ptp:queued", (event) => { halt(); state.ticket = event.detail; state.asked = "run"; busy(true); banner("Waiting for the model: runs take turns …"); });
    document.addEventListener("ptp:refused", () => { if (state.busy) failed("The server did not run this; its message says why."); });
    document.addEventListener("ptp:stopped", () => {
      if (!state.busy) return;
      const drawing = state.asked === null;
      halt();
      banner(drawing ? "Stopped." : "Stopped. What was decoded so far stays.", "info");
      keep();
    });

    const hear = () => { if (props.value) receive(JSON.parse(props.value)); };
    watch("value", hear);
    hear();
    lab.noiseState = state;  // for tests
  };

  // ---- the fixed parts ---------------------------------------------------------------------------------

  function build(root) {
    const view = { cards: {}, doing: {} };
    const button = (name, text, label) => (view.doing[name] = el("button", { type: "button", "data-do": name, "aria-label": label, title: label }, text));
    view.bannerText = el("span");
    view.bannerBar = el("i");
    view.bannerClose = el("button", { type: "button", class: "ptp-close", "aria-label": "Dismiss", text: "×", onclick: () => { view.banner.hidden = true; } });
    view.banner = el("div", { class: "ptp-banner", hidden: true }, [view.bannerText, view.bannerClose, view.bannerBar]);
    view.text = el("div", { class: "nz-text", role: "group", "aria-label": "The text and its noise" });
    view.textInfo = el("span", { class: "ptp-soft" });
    view.parallel = el("div", { class: "ptp-text nz-parallel", dir: "auto" });
    view.same = el("span", { class: "nz-same" });
    view.title = el("h3");
    view.needle = el("i", { class: "nz-needle", "aria-hidden": "true" });
    view.bubble = el("span", { class: "nz-bubble", "aria-hidden": "true" });
    view.strip = el("div", { class: "ptp-strip-box nz-strip", role: "slider", tabindex: "0", "aria-label": "u of the chosen token", "aria-valuemin": "0", "aria-valuemax": "1" });
    view.band = el("div", { class: "nz-band-box" });
    view.preview = el("p", { class: "nz-preview", "aria-live": "off" });
    view.facts = el("p", { class: "ptp-facts" });
    view.excluded = el("p", { class: "ptp-excluded" });
    view.number = el("input", { type: "number", min: 0, max: LAST, step: 0.001, "aria-label": "u", class: "nz-number" });
    view.zoom = el("input", { type: "range", min: 0, max: 10, step: 0.25, value: 0, "aria-label": "Zoom into the strip" });
    view.freeze = el("input", { type: "checkbox", checked: true });
    view.pill = el("p", { class: "ptp-pill" });
    view.file = el("input", { type: "file", accept: ".json,application/json", hidden: true, "aria-label": "Race or trace file" });
    view.spoken = el("p", { class: "ptp-spoken", "aria-live": "polite" });
    view.controls = el("div", { class: "nz-controls" }, [
      el("label", {}, ["u ", view.number]),
      el("span", { class: "nz-buttons" }, [button("flip", "Nearest flip", "The smallest change of u that picks another token"), button("roll", "⚄ Re-roll", "A new u for this token"), button("restore", "Reset token", "The seed's own u for this token")]),
      el("span", { class: "nz-buttons" }, [button("undo", "↶ Undo", "Undo (Ctrl Z)"), button("redo", "↷ Redo", "Redo (Ctrl Shift Z)"), button("all", "Reset all", "Back to the original text")]),
      el("label", { title: "On: every other u stays as it is. Off: the noise behind this token is drawn anew." }, [view.freeze, " freeze the rest"]),
      el("label", {}, ["zoom ", view.zoom]),
      el("span", { class: "nz-buttons" }, ["png", "svg", "csv", "json"].map((format) => el("button", { type: "button", "data-save": `bins ${format}`, "aria-label": `Save the bins of this token as ${format}` }, format.toUpperCase()))),
    ]);
    const card = (kind, title, what, attempt) => {
      const body = el("div", { class: "nz-body" }), cost = el("span", { class: "ptp-soft" });
      const bar = el("div", { class: "nz-progress", hidden: true }, el("i"));
      const formats = ["png", "svg", "csv", "json"];
      const tools = el("div", { class: "ptp-tools", hidden: true }, [cost, ...formats.map((format) => el("button", { type: "button", "data-save": `${kind} ${format}`, "aria-label": `Save the ${kind} as ${format}` }, format.toUpperCase()))]);
      const draw = el("button", { type: "button", class: "nz-draw", "data-map": kind, "aria-label": `${title}: draw or stop`, text: "Draw" });
      view.cards[kind] = { body, bar, tools, button: draw, cost };
      return el("section", { class: "ptp-panel nz-card", "aria-label": title }, [
        el("div", { class: "nz-card-head" }, [el("h3", { text: title }), draw]), el("p", { class: "nz-small" }, [what, " ", el("span", { class: "ptp-soft", text: attempt })]), bar, body, tools,
      ]);
    };
    root.append(
      view.banner,
      el("div", { class: "nz-top" }, [
        el("section", { class: "ptp-panel", "aria-label": "Text" }, [
          el("div", { class: "ptp-lane-head" }, [el("h3", { text: "The text, and the noise that chose it" }), view.textInfo]), view.text,
          el("p", { class: "ptp-soft nz-small", text: "Under each token: its u (line) in its bin (shaded). A line near the edge was nearly another token (!). ◆ you moved it, underlined: differs from the original." }),
        ]),
        el("section", { class: "ptp-panel", "aria-label": "Parallel lane" }, [el("div", { class: "ptp-lane-head" }, [el("h3", { text: "Parallel, same noise" }), view.same]), view.parallel]),
      ]),
      el("section", { class: "ptp-panel nz-chosen", "aria-label": "The chosen token" }, [
        el("div", { class: "nz-card-head" }, [el("span", { class: "nz-buttons" }, [button("back", "◂", "The token before"), button("next", "▸", "The next token")]), view.title, view.preview]),
        view.strip, view.band, view.facts, view.excluded, view.controls,
      ]),
      el("div", { class: "ptp-bottom nz-bottom" }, [view.pill, el("div", { class: "ptp-tools" }, [button("link", "Copy link", "Copy a link to this text and its noise"), button("save", "Download", "Download both traces as JSON"), el("button", { type: "button", "data-save": "tape csv", "aria-label": "Save the tape as CSV", text: "Tape CSV" }), button("open", "Upload", "Open a race or trace file"), view.file])]),
      view.spoken,
      el("p", { class: "ptp-hint ptp-soft", text: "Arrows move between tokens, or the needle when the strip has the focus; Enter decodes at once, Ctrl Z undoes." }),
      card("square", "The unit square", "Each point is a pair of u's, coloured by the two tokens it gives.", "Try: click another colour and watch both tokens change. A draft without u can only be a grid; PTP can follow the target's shape."),
      card("sweep", "The sweep", "u of this token runs across; below it, the tokens that follow, all other u's unchanged.", "Try: find where a small step rewrites everything, and where the text heals. Click to go there."),
      card("staircase", "The staircase", "The paper's picture: probabilities stacked into an inverse CDF, u dropped on it.", "Try: compare the draft's dotted stairs with the target's."),
    );
    return view;
  }
})(window.PTPLab);
