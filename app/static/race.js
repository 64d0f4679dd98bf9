// The Race view: receives small events, keeps the run, replays it from measured times.
// Its value is an event as a JSON string:
//   event "steps": {run, lane, chunk: {start, steps, total}, meta, summary}; the others: app/handlers.py
"use strict";

(function (lab) {
  const { el, svg, counted } = lab;
  const LANES = ["ar", "ptp"];
  const METHODS = { pqd: "PQD", ptp: "PTP", shallow: "shallow PTP", shallow_lookup: "shallow PTP + lookup", independent: "u-blind", prompt_lookup: "prompt lookup" };
  const OUTSIDE = { // methods whose drafts are made between calls
    prompt_lookup: "Drafts are looked up in the text so far.",
    shallow: "Shallow slots draft after the call, behind the token that it settled: no branch is needed. They stop where another draft would not pay.",
    shallow_lookup: "After the call, shallow slots draft behind the token that it settled, or drafts are looked up where the text repeats itself: what promises more for its time.",
  };
  const CALLS_PER_SECOND = 6;

  lab.race = function (element, props, watch, server, opened) {
    const root = element.querySelector(".ptp-race");
    if (!root || root.dataset.ready) return;
    root.dataset.ready = "yes";
    const view = build(root);
    const state = fresh();

    // ---- the run ---------------------------------------------------------------------------------

    function fresh() {
      return { run: null, meta: null, summary: null, lanes: { ar: lane(), ptp: lane() }, axis: "calls", head: 0, playing: false,
        live: false, busy: false, ticket: null, link: null, opened: null, pinned: null, speed: 1, fetching: {}, expected: 0 };
    }
    function lane() { return { steps: [], tokens: [], ends: [0], shown: 0, calls: 0 }; }

    function clear(run) {
      const { axis, speed, busy: working, ticket, expected, link } = state;
      Object.assign(state, fresh(), { run, axis, speed, busy: working, ticket, expected, link });
      for (const name of LANES) view.lane[name].text.replaceChildren();
      view.bars.ar.replaceChildren(); view.bars.ptp.replaceChildren();
      view.tape.replaceChildren(); view.map.replaceChildren();
    }

    function add(name, chunk) {
      const track = state.lanes[name];
      if (chunk.start > track.steps.length) { fetchFrom(name); return; }  // an update was merged away
      for (const step of chunk.steps.slice(track.steps.length - chunk.start)) {
        step.index = track.steps.length;
        track.steps.push(step);
        track.ends.push(track.ends[track.ends.length - 1] + 1000 * step.s);
        for (const token of step.e) {
          token.call = step.index;
          token.alone = name === "ptp" && token.src === "bonus" && !step.d.length;  // nothing verified: no bonus
          track.tokens.push(token);
          view.lane[name].text.append(...tokenNodes(name, token));
        }
      }
      if (track.steps.length < chunk.total) fetchFrom(name);
    }

    async function fetchFrom(name) {
      const run = state.run;
      if (state.fetching[name] || !run) return;
      state.fetching[name] = true;
      const found = await server.fetch_steps({ run, lane: name, start: state.lanes[name].steps.length }).catch(() => null)
        || { error: "The server did not answer. Reload the page, or run the race again." };
      if (state.run !== run) return;
      state.fetching[name] = false;
      if (found.error) { banner(found.error, "error"); return; }
      state.summary = found.summary;  // a run that was stopped may have come a call further than it told
      if (!found.steps.length) { redraw(); return; }
      add(name, found);
      if (!state.live && !state.playing) state.head = length();
      redraw();
      if (!state.live && complete()) settle();
    }

    function complete() {
      return LANES.every((name) => state.lanes[name].steps.length === ((state.summary.lanes[name] || {}).calls || 0));
    }
    // A race that is there already: the first one stands at a telling call, others play from their start.
    function settle() {
      if (state.opened === "first") {
        const best = state.lanes.ptp.steps.reduce((a, b) => (b.e.length > a.e.length && b.b.some((branch) => branch.kept) ? b : a), { e: [], index: state.lanes.ptp.steps.length - 1 });
        state.axis = "calls";
        state.head = best.index + 1;
      } else if (state.opened && !lab.calm()) { state.axis = "ms"; state.head = 0; play(true); }
      state.opened = null;
      redraw();
    }

    function receive(event) {
      if (!event || typeof event !== "object" || event.event === "shown") return;
      if (event.ticket && event.ticket !== state.ticket) return;  // of a run that was stopped
      if (event.event === "open") halt();
      if (event.event === "error") { state.live = false; busy(false); banner(event.message, "error"); return; }
      if (event.event === "run") { setTimeout(() => document.querySelector("#ptp-run")?.click(), 50); return; }
      if (event.event === "start") { busy(true); banner("Starting …"); announce("Started."); state.expected = event.tokens; state.link = event.query; return; }
      if (event.event === "loading") { banner(`${event.text} … ${Math.round(100 * event.share)} %`, "busy", event.share); return; }
      if (event.run !== state.run) clear(event.run);
      if (event.meta) state.meta = event.meta;
      state.summary = event.summary;
      if (event.event === "open") {
        busy(false);
        banner(null);
        state.live = false;
        state.opened = event.first ? "first" : "again";
        state.expected = 0;
        if (!event.first) remember(event.query);
        for (const name of LANES) if (event.meta.methods[name]) fetchFrom(name);
        if (complete()) settle();  // the same race again: nothing is left to fetch
      } else if (event.event === "steps") {
        if (!state.live) remember(state.link);  // the address follows once there is a race that it names
        state.live = true;
        busy(true);
        banner(event.lane === "ar" ? "Decoding token by token …" : "Decoding in parallel, same noise …", "busy");
        add(event.lane, event.chunk);
        state.head = length();
      } else if (event.event === "done") {
        state.live = false;
        busy(false);
        banner(null);
        for (const name of LANES) if (state.lanes[name].steps.length < (event.summary.lanes[name]?.calls || 0)) fetchFrom(name);
        announce(summaryText());
        state.head = length();
        if (!lab.calm()) { state.axis = "ms"; state.head = 0; play(true); }
      }
      redraw();
    }

    function remember(query) {
      if (query && query.length > lab.LONGEST_LINK) query = null;
      const url = new URL(window.location.href);
      const theme = url.searchParams.get("__theme");
      url.search = [query, theme ? `__theme=${theme}` : ""].filter(Boolean).join("&");
      window.history.replaceState(null, "", url);
    }

    // ---- the clock ---------------------------------------------------------------------------------

    function length() {
      return Math.max(...LANES.map((name) => {
        const track = state.lanes[name];
        return state.axis === "calls" ? track.steps.length : track.ends[track.steps.length];
      }));
    }
    function callsShown(track) {
      if (state.axis === "calls") return Math.min(Math.floor(state.head + 1e-6), track.steps.length);
      let calls = 0;
      while (calls < track.steps.length && track.ends[calls + 1] <= state.head + 1e-6) calls += 1;
      return calls;
    }
    function seek(head, say) {
      state.head = Math.min(Math.max(head, 0), length());
      redraw();
      if (say) announce(stepText());
    }
    function stepBy(direction) {  // to the neighbouring end of a call of the parallel lane
      play(false);
      const track = state.lanes[state.lanes.ptp.steps.length ? "ptp" : "ar"];
      if (state.axis === "calls") { seek(Math.round(state.head) + direction, true); return; }
      const ends = track.ends;
      const next = direction > 0 ? ends.find((e) => e > state.head + 1e-6) : [...ends].reverse().find((e) => e < state.head - 1e-6);
      seek(next === undefined ? (direction > 0 ? length() : 0) : next, true);
    }
    let last = 0;
    function play(on) {
      if (on && !state.playing && state.head >= length() - 1e-6) state.head = 0;
      state.playing = on && length() > 0;
      view.play.textContent = state.playing ? "❚❚" : "▶";
      view.play.setAttribute("aria-label", state.playing ? "Pause" : "Play");
      if (state.playing) { last = performance.now(); requestAnimationFrame(tick); }
      redraw();
    }
    function tick(now) {
      if (!state.playing || !root.isConnected) return;
      const passed = (now - last) * state.speed;
      last = now;
      state.head += state.axis === "calls" ? (passed / 1000) * CALLS_PER_SECOND : passed;
      if (state.head >= length()) { state.head = length(); play(false); return; }
      redraw();
      requestAnimationFrame(tick);
    }
    function toggleAxis(axis) {
      if (axis === state.axis) return;
      const share = length() ? state.head / length() : 0;
      state.axis = axis;
      state.head = share * length();
      if (axis === "calls") state.head = Math.round(state.head);
      redraw();
    }

    // ---- drawing -----------------------------------------------------------------------------------

    function redraw() {
      for (const name of LANES) {
        const track = state.lanes[name], before = track.shown;
        track.calls = callsShown(track);
        const shown = track.tokens.findIndex((token) => token.call >= track.calls);
        track.shown = shown < 0 ? track.tokens.length : shown;
        const nodes = [...view.lane[name].text.querySelectorAll(".ptp-token")];
        nodes.forEach((node, i) => {
          node.classList.toggle("is-future", i >= track.shown);
          node.classList.toggle("is-now", i < track.shown && track.tokens[i].call === track.calls - 1);
        });
        if (track.shown !== before) follow(view.lane[name].text, nodes[track.shown - 1]);
      }
      drawFigures();
      drawTimeline();
      drawCall();
      drawToken();
      drawMap();
    }

    // Keeps the newest token in sight: the lane scrolls, the page does not.
    function follow(box, node) {
      const top = node ? node.offsetTop - box.offsetTop : 0, height = node ? node.offsetHeight : 0;
      const outside = top < box.scrollTop || top + height > box.scrollTop + box.clientHeight;
      if (outside) box.scrollTop = top + height / 2 - box.clientHeight / 2;  // with what stands before and behind it
    }

    const ORIGINS = { live: "measured on this machine", recorded: "measured when recorded", uploaded: "as the file says" };

    function drawFigures() {
      const s = state.summary, lanes = s ? s.lanes : {};
      const ar = lanes.ar, ptp = lanes.ptp;
      const done = s && !state.live;
      figure(0, ar && ptp ? `${ar.calls} → ${ptp.calls}` : ar ? `${ar.calls}` : ptp ? `${ptp.calls}` : "–", "model calls, AR → PTP");
      figure(1, ptp ? ptp.tokens_per_call.toFixed(2) : "–", "tokens per call, counted");
      figure(2, done && s.speedup ? s.speedup.toFixed(2) + "×" : "–", speedWords(done ? s : null));
      let proof = "–", words = "same u, same text, token by token", bad = false;
      if (done && ar && ptp) {
        if (s.divergence === null) {
          proof = `✓ ${Math.min(ar.tokens, ptp.tokens)} / ${Math.max(ar.tokens, ptp.tokens)}`;
          if (ar.tokens !== ptp.tokens) words = "the same as far as both lanes came";
        }
        else {
          bad = true;
          proof = `≠ at ${s.divergence + 1}`;
          words = `texts part at token ${s.divergence + 1}; ` + (s.gap !== null && s.gap < 1e-5 ? "two equally likely tokens changed places"
            : `u was ${s.margin === null ? "?" : s.margin.toExponential(1)} from the edge`);
        }
      }
      figure(3, proof, words);
      view.figures[3].box.classList.toggle("is-bad", bad);
      const m = state.meta;
      view.pill.textContent = m ? [m.model, m.adapter ? "adapter " + m.adapter : "no adapter", `${m.device} ${m.dtype}`, m.origin].join(" · ") : "";
      view.notes.replaceChildren(...(m ? m.notes : []).map((note) => el("p", { class: "ptp-note", text: note })));
      for (const name of LANES) {
        const lane_ = lanes[name];
        view.lane[name].info.textContent = lane_ && lane_.tokens ? `${(1000 * lane_.seconds / lane_.tokens).toFixed(1)} ms per token` : "";
      }
      const method = m && m.methods.ptp ? m.methods.ptp : "pqd";
      view.lane.ptp.title.textContent = `Parallel (${METHODS[method] || method})`;
      view.lane.ptp.title.closest("section").setAttribute("aria-label", view.lane.ptp.title.textContent);
    }
    function speedWords(s) {
      const words = `speed-up, ${ORIGINS[state.meta ? state.meta.origin : "live"]}`;
      if (!s || !s.lanes.ar || !s.lanes.ptp) return words;
      if (!s.drafted) return "no drafts were made: both lanes did the same work";
      const { ar, ptp } = s.lanes, dearer = (ptp.seconds / ptp.calls) / (ar.seconds / ar.calls);
      return dearer > 1.05 ? `${words}; a call with drafts costs ${dearer.toFixed(2)}× as much` : words;
    }
    function figure(i, value, label) {
      view.figures[i].value.textContent = value;
      view.figures[i].label.textContent = label;
    }

    function drawTimeline() {
      const ahead = state.live && state.axis === "calls" ? state.expected : 0;  // so that bars keep their width
      const total = Math.max(length(), ahead, 1e-9);
      for (const name of LANES) {
        const track = state.lanes[name], box = view.bars[name];
        while (box.childElementCount < track.steps.length) {
          const index = box.childElementCount;
          box.append(el("button", { class: "ptp-call", type: "button", tabindex: "-1", "data-call": index }));
        }
        [...box.children].forEach((node, i) => {
          const step = track.steps[i];
          const from = state.axis === "calls" ? i : track.ends[i], to = state.axis === "calls" ? i + 1 : track.ends[i + 1];
          node.style.left = `${100 * from / total}%`;
          node.style.width = `calc(${100 * (to - from) / total}% - 2px)`;
          const wide = (to - from) / total * box.clientWidth > 15;
          node.textContent = name === "ptp" && wide ? step.e.length : "";
          node.title = `call ${i + 1}: ${counted(step.e.length, "token")}, ${counted(step.n, "position")}, ${(1000 * step.s).toFixed(0)} ms`;
          node.classList.toggle("is-future", i >= track.calls);
          node.classList.toggle("is-now", i === track.calls - 1);
          node.classList.toggle("is-many", step.e.length > 1);
        });
      }
      view.scrub.max = 1000;
      view.scrub.value = Math.round(1000 * state.head / total);
      view.scrub.setAttribute("aria-valuetext", clockText());
      view.clock.textContent = clockText();
      view.playhead.style.left = `${100 * state.head / total}%`;
      for (const [axis, node] of Object.entries(view.axis)) node.setAttribute("aria-pressed", String(axis === state.axis));
    }
    function clockText() {
      const track = state.lanes.ptp.steps.length ? state.lanes.ptp : state.lanes.ar;
      const at = state.axis === "ms" ? `${state.head.toFixed(0)} ms` : `${Math.round(track.ends[track.calls] || 0)} ms`;
      return `call ${track.calls} of ${track.steps.length} · ${at}`;
    }

    function tokenNodes(name, token) {
      const status = name === "ar" || token.alone ? "plain" : token.src;
      const node = el("button", {
        class: `ptp-token is-${status}`, type: "button", tabindex: "-1", "data-lane": name, "data-position": token.p,
        "aria-label": `token ${token.p + 1}, ${lab.plain(token.t || token.l)}${name === "ar" ? "" : ", " + status}`,
        title: name === "ar" ? null : says(token),
      }, lab.nodes(token.t, token.l));
      const breaks = (token.t.match(/\n/g) || []).length;
      return breaks ? [node, el("br"), ...(breaks > 1 ? [el("br", { class: "ptp-gap" })] : [])] : [node];
    }

    function says(token) {
      return token.alone ? "the target's own token; nothing was drafted for it" : lab.STATUS[token.src].says;
    }

    function chip(text, status, extra) {
      const node = el("span", { class: `ptp-chip is-${status}`, title: lab.STATUS[status] ? lab.STATUS[status].says : null }, lab.nodes(text));
      const glyph = lab.STATUS[status] && lab.STATUS[status].glyph;
      if (glyph) node.append(el("sup", { "aria-hidden": "true", text: glyph }));
      if (extra) node.append(el("small", { text: extra }));
      return node;
    }

    // Whether one lane was stopped before it had caught up with the other.
    function stopped() {
      const { ar, ptp } = state.lanes;
      return ar.tokens.length > 0 && state.summary.divergence === null && ar.tokens.length !== ptp.tokens.length;
    }

    function currentStep() {
      const track = state.lanes.ptp;
      return track.calls ? track.steps[track.calls - 1] : null;
    }

    let drawnCall = null;
    function drawCall() {
      const step = currentStep();
      const key = step ? `${state.run}/${step.index}` : "";
      if (key === drawnCall) return;
      drawnCall = key;
      if (!step) {
        view.callTitle.textContent = "The parallel lane's calls";
        view.call.replaceChildren(el("p", { class: "ptp-soft", text: "Play or step: each call shows what it verified and what it drafted." }));
        return;
      }
      view.callTitle.textContent = callTitle(step);
      const row = el("div", { class: "ptp-drafts" });
      step.d.forEach((d) => row.append(chip(d[0], d[1], d[2].toFixed(2))));
      const extra = step.x ? step.e[step.e.length - 1] : null;
      if (extra) {
        if (step.d.length) row.append(el("span", { class: "ptp-arrow", text: "→" }));
        row.append(chip(extra.t || extra.l, extra.alone ? "plain" : extra.src));
      } else row.append(el("span", { class: "ptp-soft", text: "the text ends inside the accepted drafts" }));
      const table = el("div", { class: "ptp-branches", role: "table", "aria-label": "Branches: drafts prepared for each outcome" });
      for (const branch of step.b) {
        table.append(el("div", { class: "ptp-branch" + (branch.kept ? " is-kept" : ""), role: "row" }, [
          el("span", { role: "cell", text: step.d.length ? `if ${branch.m} right` : "next" }),
          el("span", { class: "ptp-meter", role: "cell", title: "estimated before verification" }, el("i", { style: `width:${100 * branch.p}%` })),
          el("span", { role: "cell", text: branch.p.toFixed(2) }),
          el("span", { class: "ptp-drafts", role: "cell" }, [
            ...branch.d.map((d) => chip(d[0], d[1])), branch.kept ? el("b", { class: "ptp-kept", text: "kept" }) : null,
          ]),
        ]));
      }
      if (!step.b.length) {
        const ended = step.index === state.lanes.ptp.steps.length - 1 && !state.live;
        const outside = OUTSIDE[state.meta && state.meta.methods.ptp];
        table.append(el("p", { class: "ptp-soft", text: ended ? (stopped() ? "Stopped here." : "The text ends here.") : outside || "No drafts for the next call: too little text is left for them, or they would not have paid here." }));
      }
      view.call.replaceChildren(row, table);
    }
    function callTitle(step) {
      const what = step.d.length ? `verified ${counted(step.d.length, "draft")}, ${step.a} right`
        : step.k === "prefill" ? "read the prompt" : "no drafts to verify";
      return `Call ${step.index + 1}: ${what} · ${counted(step.n, "position")} · ${(1000 * step.s).toFixed(0)} ms`;
    }

    function selected() {
      if (state.pinned) {
        const token = state.lanes[state.pinned.lane].tokens[state.pinned.position];
        if (token) return { lane: state.pinned.lane, token };
      }
      for (const name of ["ptp", "ar"]) {
        const track = state.lanes[name];
        if (track.shown) return { lane: name, token: track.tokens[track.shown - 1] };
      }
      return null;
    }
    let drawnToken = null;
    function drawToken() {
      const found = selected();
      for (const name of LANES) {
        for (const node of view.lane[name].text.querySelectorAll(".is-selected")) node.classList.remove("is-selected");
        if (found && state.pinned) view.lane[name].text.querySelector(`[data-position="${found.token.p}"]`)?.classList.add("is-selected");
      }
      const key = found ? `${state.run}/${found.lane}/${found.token.p}` : "";
      if (key === drawnToken) return drawTape(found);
      drawnToken = key;
      if (!found) {
        view.tokenTitle.textContent = "Where u falls";
        view.token.replaceChildren(el("p", { class: "ptp-soft", text: "Choose a token to see the bin that its u fell into." }));
        return drawTape(null);
      }
      const t = found.token;
      view.tokenTitle.replaceChildren(`Token ${t.p + 1} `, el("span", { class: "ptp-name" }, lab.nodes(t.t, t.l)), ": u falls into its bin");
      const strip = el("div", { class: "ptp-strip-box" }, [
        lab.strip(t), ...lab.stripLabels(t),
        el("span", { class: "ptp-u" + (t.u > 0.85 ? " is-right" : t.u < 0.15 ? " is-left" : ""), style: `left:${100 * t.u}%`, text: `u = ${t.u.toFixed(3)}` }),
      ]);
      const facts = [
        `bin ${t.lo.toFixed(3)} to ${t.hi.toFixed(3)}, probability ${t.pr.toFixed(3)}`,
        t.m === null ? "no other token is possible here" : `margin to the next token ${t.m.toPrecision(2)}`,
        t.om > 0.0005 ? `${lab.percent(t.om)} in tokens not listed` : null,
        t.xm > 0.0005 ? `${lab.percent(t.xm)} excluded by top-k and top-p` : null,
        found.lane === "ptp" ? says(t) : null,
      ].filter(Boolean).join(" · ");
      const others = t.ex.length ? el("p", { class: "ptp-excluded" }, ["excluded: ", ...t.ex.map(([text, p]) => el("span", {}, [...lab.nodes(text), el("small", { text: ` ${lab.percent(p)}` })]))]) : null;
      view.token.replaceChildren(...(t.c.length ? [strip] : []), el("p", { class: "ptp-facts", text: facts }), ...(others ? [others] : []));
      drawTape(found);
    }

    function drawTape(found) {
      const tokens = state.lanes.ar.tokens.length >= state.lanes.ptp.tokens.length ? state.lanes.ar.tokens : state.lanes.ptp.tokens;
      while (view.tape.childElementCount < tokens.length) {
        const token = tokens[view.tape.childElementCount];
        view.tape.append(el("button", { type: "button", tabindex: "-1", class: "ptp-u-bar", "data-position": token.p, title: `u of token ${token.p + 1}: ${token.u.toFixed(4)}`,
          "aria-label": `u of token ${token.p + 1} is ${token.u.toFixed(3)}` }, el("i", { style: `height:${Math.max(2, 100 * token.u)}%` })));
      }
      const shown = Math.max(state.lanes.ar.shown, state.lanes.ptp.shown);
      [...view.tape.children].forEach((node, i) => {
        node.classList.toggle("is-own", Boolean(found) && i === found.token.p);
        node.classList.toggle("is-future", i >= shown);
      });
    }

    // Every call of the parallel lane against every position: what was drafted there and what became of it.
    let drawnMap = null;
    function drawMap() {
      if (!view.mapBox.open) return;
      const track = state.lanes.ptp, key = `${state.run}/${track.calls}`;
      if (key === drawnMap) return;
      drawnMap = key;
      const cell = 13, width = 40 + cell * (track.tokens.length + 8), height = 22 + cell * track.steps.length;
      const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Calls down, positions across" });
      let first = 0;
      track.steps.slice(0, track.calls).forEach((step, row) => {
        const y = 18 + row * cell;
        picture.append(svg("text", { x: 30, y: y + 10, class: "ptp-map-label", "text-anchor": "end", text: String(row + 1) }));
        const marks = step.d.map((d) => d[1]);
        const put = (column, status, says) => {
          const square = svg("rect", { class: `ptp-cell is-${status}`, x: 36 + column * cell, y, width: cell - 2, height: cell - 2, rx: 2 });
          square.append(svg("title", { text: says }));
          picture.append(square);
          const glyph = lab.STATUS[status].glyph;
          if (glyph) picture.append(svg("text", { class: `ptp-map-glyph is-${status}`, x: 36 + column * cell + 3, y: y + 9, text: glyph }));
        };
        marks.forEach((status, i) => put(first + i, status, `call ${row + 1}, position ${first + i + 1}: ${lab.plain(step.d[i][0])}, ${status}`));
        const kept = step.b.find((b) => b.kept);
        if (step.x) {
          const extra = step.e[step.e.length - 1];
          if (!marks[step.a] || marks[step.a] === "rejected") put(first + step.a, step.x, `call ${row + 1}, position ${first + step.a + 1}: ${lab.plain(extra.t || extra.l)}, ${step.x}`);
        }
        first += step.e.length;
        if (kept) kept.d.filter((d) => d[1] === "pending").forEach((d, i) => put(first + i, "pending", `call ${row + 1}, position ${first + i + 1}: ${lab.plain(d[0])}, drafted`));
      });
      picture.append(svg("text", { x: 36, y: 11, class: "ptp-map-label", text: "position →   (calls run down)" }));
      view.map.replaceChildren(picture);
    }

    // ---- words ---------------------------------------------------------------------------------------

    function banner(text, kind, share) {
      view.banner.hidden = !text;
      view.banner.className = `ptp-banner is-${kind || "busy"}`;
      view.bannerText.textContent = text || "";
      view.bannerClose.hidden = kind !== "error" && kind !== "info";
      view.bannerBar.style.width = share === undefined ? "0" : `${100 * share}%`;
      if (kind === "error") announce(text);
    }
    // Gradio scopes css to its container, so the state of the page is a class of its row, not of body
    function busy(on) { state.busy = on; document.querySelector("#ptp-ask")?.classList.toggle("is-busy", on); }
    function announce(text) { view.spoken.textContent = text; }
    function stepText() {
      const step = currentStep();
      if (!step) return "Start of the race.";
      const drafted = step.d.length ? `${step.d.length} drafted, ${step.a} accepted, ` : "";
      const extra = step.x ? `${step.x}: ${lab.plain(step.e[step.e.length - 1].t)}.` : "the text ends.";
      return `Call ${step.index + 1} of ${state.lanes.ptp.steps.length}. ${drafted}${extra}`;
    }
    function summaryText() {
      const s = state.summary;
      if (!s || !s.lanes.ar || !s.lanes.ptp) return "Done.";
      const same = s.divergence === null ? "Both texts are identical" : `The texts part at token ${s.divergence + 1}`;
      return `${same}: ${s.lanes.ar.calls} calls one by one, ${s.lanes.ptp.calls} in parallel, measured speed-up ${s.speedup ? s.speedup.toFixed(2) : "unknown"}.`;
    }

    // ---- what a visitor does ---------------------------------------------------------------------------

    function pin(lane_, position) {
      const same = state.pinned && state.pinned.lane === lane_ && state.pinned.position === position;
      state.pinned = same ? null : { lane: lane_, position };
      redraw();
    }
    function movePin(direction) {
      const now = selected();
      if (!now) return;
      const position = now.token.p + direction;
      const token = state.lanes[now.lane].tokens[position];
      if (!token) return;
      state.pinned = { lane: now.lane, position };
      redraw();
      announce(`token ${position + 1}, ${lab.plain(token.t || token.l)}, u ${token.u.toFixed(3)}, ${says(token)}`);
    }
    root.addEventListener("click", (event) => {
      const token = event.target.closest(".ptp-token"), call = event.target.closest(".ptp-call"), bar = event.target.closest(".ptp-u-bar");
      if (token) pin(token.dataset.lane, Number(token.dataset.position));
      else if (bar) pin(state.lanes.ptp.tokens[bar.dataset.position] ? "ptp" : "ar", Number(bar.dataset.position));
      else if (call) {
        const track = call.parentElement === view.bars.ar ? state.lanes.ar : state.lanes.ptp, i = Number(call.dataset.call);
        play(false);
        seek(state.axis === "calls" ? i + 1 : track.ends[i + 1], true);
      }
    });
    const hover = (on) => (event) => {
      const token = event.target.closest && event.target.closest("[data-position]");
      if (!token) return;
      for (const node of root.querySelectorAll(`[data-position="${token.dataset.position}"]`)) node.classList.toggle("is-linked", on);
    };
    root.addEventListener("mouseover", hover(true));
    root.addEventListener("mouseout", hover(false));
    view.scrub.addEventListener("input", () => {
      const share = view.scrub.value / 1000;  // before anything is drawn again
      play(false);
      seek(share * length(), true);
    });
    for (const [name, action] of Object.entries({
      first: () => { play(false); seek(0, true); }, back: () => stepBy(-1), play: () => play(!state.playing), next: () => stepBy(1),
      last: () => { play(false); seek(length(), true); }, calls: () => toggleAxis("calls"), ms: () => toggleAxis("ms"), present: () => present(), leave: () => present(false),
      link: copyLink, save: download, open: () => view.file.click(), picture: (e) => lab.exportRace(state, "png"), vector: () => lab.exportRace(state, "svg"),
    })) root.querySelector(`[data-do="${name}"]`).addEventListener("click", action);
    view.speed.addEventListener("change", () => { state.speed = Number(view.speed.value); });
    view.mapBox.addEventListener("toggle", () => { drawnMap = null; drawMap(); });

    function keys(event) {
      const typing = event.target.closest("input:not([type=range]), textarea, select, [contenteditable=true]");
      const inside = root.contains(event.target), presenting = root.classList.contains("is-presenting");
      if (presenting && event.key === "Escape") { present(false); return; }
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !root.isConnected) return;
      if (!inside && !presenting && event.target !== document.body) return;
      // a button reached by keyboard keeps its keys; one that was clicked gives Space back to the race
      if (event.target === view.map && ["ArrowLeft", "ArrowRight", "Home", "End", " "].includes(event.key)) return;  // it scrolls
      const pressed = event.target.matches("button:focus-visible, summary, [data-do=leave]");
      if (pressed && (event.key === " " || event.key === "Enter")) return;
      const actions = {
        " ": () => play(!state.playing), ArrowRight: () => stepBy(1), ArrowLeft: () => stepBy(-1), Home: () => { play(false); seek(0, true); },
        End: () => { play(false); seek(length(), true); }, ",": () => movePin(-1), ".": () => movePin(1), a: () => toggleAxis(state.axis === "calls" ? "ms" : "calls"),
        p: () => present(), Escape: () => { if (presenting) present(false); else if (state.pinned) { state.pinned = null; redraw(); } },
      };
      const action = actions[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    }
    document.addEventListener("keydown", keys);

    function present(on) {
      const now = on === undefined ? !root.classList.contains("is-presenting") : on;
      root.classList.toggle("is-presenting", now);
      for (let node = root; node !== document.body; node = node.parentElement) {  // what is covered takes no part
        for (const other of node.parentElement.children) if (other !== node) other.inert = now;
      }
      document.body.style.overflow = now ? "hidden" : "";
      (now ? root : root.querySelector('[data-do="present"]')).focus();
      redraw();
    }
    async function copyLink() {
      if (!new URL(window.location.href).searchParams.has("prompt") && state.meta && state.meta.origin !== "recorded") {
        announce("This race has no link: download it and send the file.");
        flash(root.querySelector('[data-do="link"]'), "No link: download it");
        return;
      }
      const done = await lab.copy(window.location.href);
      announce(done ? "Link copied." : "The link is in the address bar.");
      flash(root.querySelector('[data-do="link"]'), done ? "Copied" : "See the address");
    }
    function flash(button, text) {
      button.dataset.label = button.dataset.label || button.textContent;
      button.textContent = text;
      setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
    }
    async function download() {
      if (!state.run) return;
      const found = await server.export_run({ run: state.run }).catch(() => null) || { error: "The server did not answer." };
      if (found.error) banner(found.error, "error");
      else lab.save(JSON.stringify(found.race), `ptp-race-seed-${state.meta.seed}.json`, "application/json");
    }
    async function upload(file) {
      if (!file) return;
      if (file.size > 60e6) { banner(`${file.name} is larger than 60 MB, too large for a trace.`, "error"); return; }
      banner(`Reading ${file.name} …`);
      let found;
      try {
        found = await server.open_file({ text: await file.text() });
      } catch (error) {
        found = { error: "The file could not be read." };
      }
      if (!found || found.error) banner(`${file.name}: ${found ? found.error : "The server did not answer."}`, "error");
      else { receive(found); tell(found); }
    }
    view.file.addEventListener("change", () => { upload(view.file.files[0]); view.file.value = ""; });
    root.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) { event.preventDefault(); root.classList.add("is-target"); } });
    root.addEventListener("dragleave", () => root.classList.remove("is-target"));
    root.addEventListener("drop", (event) => {
      root.classList.remove("is-target");
      if (event.dataTransfer.files.length) { event.preventDefault(); upload(event.dataTransfer.files[0]); }
    });
    // What Python should know of a run that it did not show itself: the charts follow.
    function tell(event) {
      props.value = JSON.stringify({ event: "shown", run: event.run });
      opened();
    }
    document.addEventListener("ptp:refused", () => {
      if (!state.busy) return;
      halt();
      banner("The server did not run this; its message says why.", "error");
    });
    // A run's ticket is the browser's: whatever comes with another one is of a run that was stopped.
    function halt() {
      if (state.ticket) server.stop_run({ ticket: state.ticket }).catch(() => null);
      state.ticket = null;
      state.live = false;
      busy(false);
    }
    document.addEventListener("ptp:queued", (event) => {
      halt();
      state.ticket = event.detail;
      play(false);
      busy(true);
      banner("Waiting for the model: runs take turns …");
    });
    document.addEventListener("ptp:stopped", () => {
      if (!state.busy) return;
      halt();
      banner(state.run ? "Stopped. What was decoded so far stays." : "Stopped.", "info");
      if (state.run) { for (const name of LANES) fetchFrom(name); tell(state); }
      redraw();
    });
    new ResizeObserver(() => drawTimeline()).observe(view.bars.ar);

    const hear = () => { if (props.value) receive(JSON.parse(props.value)); };
    watch("value", hear);
    hear();
    lab.raceState = state;  // for exports and tests
  };

  // ---- the fixed parts ---------------------------------------------------------------------------------

  function build(root) {
    const view = { lane: {}, bars: {}, axis: {}, figures: [] };
    const button = (name, text, label, extra) => el("button", { type: "button", "data-do": name, "aria-label": label, title: label, ...extra }, text);
    view.bannerText = el("span");
    view.bannerBar = el("i");
    view.bannerClose = el("button", { type: "button", class: "ptp-close", "aria-label": "Dismiss", text: "×", onclick: () => { view.banner.hidden = true; } });
    view.banner = el("div", { class: "ptp-banner", hidden: true }, [view.bannerText, view.bannerClose, view.bannerBar]);
    view.figures = [0, 1, 2, 3].map(() => {
      const value = el("b"), label = el("span");
      return { value, label, box: el("div", { class: "ptp-figure" }, [value, label]) };
    });
    view.pill = el("p", { class: "ptp-pill" });
    view.notes = el("div", { class: "ptp-notes" });
    for (const name of ["ar", "ptp"]) view.bars[name] = el("div", { class: `ptp-bars is-${name}` });
    view.playhead = el("i", { class: "ptp-playhead" });
    view.scrub = el("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "Place in the race" });
    view.clock = el("span", { class: "ptp-clock" });
    view.play = button("play", "▶", "Play");
    view.axis = { calls: button("calls", "calls", "Axis: model calls"), ms: button("ms", "milliseconds", "Axis: measured milliseconds") };
    view.speed = el("select", { "aria-label": "Speed" }, [[0.25, "¼×"], [0.5, "½×"], [1, "1×"], [2, "2×"], [4, "4×"]].map(([v, t]) => el("option", { value: v, text: t, selected: v === 1 })));
    const timeline = el("section", { class: "ptp-panel ptp-timeline", "aria-label": "Timeline" }, [
      el("div", { class: "ptp-track" }, [el("span", { text: "AR" }), view.bars.ar]),
      el("div", { class: "ptp-track" }, [el("span", { text: "PTP" }), el("div", { class: "ptp-with-head" }, [view.bars.ptp])]),
      el("div", { class: "ptp-transport" }, [
        el("div", { class: "ptp-buttons" }, [button("first", "|◂", "To the start"), button("back", "◂", "One call back"), view.play, button("next", "▸", "One call on"), button("last", "▸|", "To the end")]),
        view.scrub, view.clock, view.speed, el("span", { class: "ptp-axis", role: "group", "aria-label": "Axis" }, [view.axis.calls, view.axis.ms]),
      ]),
    ]);
    timeline.querySelectorAll(".ptp-bars").forEach((bars) => bars.parentElement.classList.add("ptp-lane-bars"));
    const lanes = { ar: ["Autoregressive", "one token per call"], ptp: ["Parallel (PQD)", "same noise"] };
    const boxes = Object.entries(lanes).map(([name, [title, sub]]) => {
      const text = el("div", { class: "ptp-text", dir: "auto" }), info = el("span", { class: "ptp-soft" }), heading = el("h3", { text: title });
      view.lane[name] = { text, info, title: heading };
      return el("section", { class: `ptp-panel ptp-lane is-${name}`, "aria-label": title }, [
        el("div", { class: "ptp-lane-head" }, [heading, el("span", { class: "ptp-soft", text: sub }), info]), text,
      ]);
    });
    const legend = el("p", { class: "ptp-legend" }, [["accepted", "accepted draft"], ["recovered", "recovered"], ["bonus", "bonus"], ["rejected", "rejected"], ["discarded", "discarded"], ["settled", "settled"], ["pending", "draft"]].map(([status, text]) => {
      const glyph = window.PTPLab.STATUS[status].glyph;
      return el("span", { class: `ptp-chip is-${status}`, title: window.PTPLab.STATUS[status].says }, [text, glyph ? el("sup", { text: glyph }) : null]);
    }));
    boxes[1].append(legend);
    view.callTitle = el("h3");
    view.call = el("div");
    view.tokenTitle = el("h3");
    view.token = el("div");
    view.tape = el("div", { class: "ptp-tape" });
    view.map = el("div", { class: "ptp-map", tabindex: "0", role: "group", "aria-label": "Map of every call and position" });
    view.mapBox = el("details", { class: "ptp-panel ptp-map-box" }, [el("summary", { text: "Every call, every position" }), view.map]);
    view.file = el("input", { type: "file", accept: ".json,application/json", hidden: true, "aria-label": "Race or trace file" });
    view.spoken = el("p", { class: "ptp-spoken", "aria-live": "polite" });
    const tools = el("div", { class: "ptp-tools" }, [
      button("link", "Copy link", "Copy a link to this race"), button("save", "Download", "Download both traces as JSON"), button("open", "Upload", "Open a race or trace file"),
      button("picture", "PNG", "Save a picture of the race (PNG)"), button("vector", "SVG", "Save a picture of the race (SVG)"), button("present", "Present", "Presentation mode (P)"), view.file,
    ]);
    root.append(
      button("leave", "× Leave", "Leave the presentation (Esc)"),
      view.banner,
      el("div", { class: "ptp-figures" }, view.figures.map((f) => f.box)),
      timeline,
      el("div", { class: "ptp-pair" }, boxes),
      el("div", { class: "ptp-pair ptp-detail" }, [
        el("section", { class: "ptp-panel", "aria-label": "The current call" }, [view.callTitle, view.call]),
        el("section", { class: "ptp-panel", "aria-label": "The chosen token" }, [view.tokenTitle, view.token, el("h3", { class: "ptp-tape-title", text: "Noise tape" }), view.tape]),
      ]),
      view.mapBox,
      el("div", { class: "ptp-bottom" }, [view.pill, tools]),
      view.notes, view.spoken,
      el("p", { class: "ptp-hint ptp-soft", text: "Space plays, ← → step a call, , . choose a token, A switches the axis, P presents, Esc leaves." }),
    );
    return view;
  }
})(window.PTPLab);
