// A picture of the race: both texts with every token's provenance, the figures, the timelines.
"use strict";

(function (lab) {
  const { svg } = lab;
  const WIDTH = 1200, MARGIN = 40, LINE = 30, FONT = 16;

  lab.exportRace = async function (state, kind) {
    if (!state.meta) return;
    await lab.savePicture(draw(state), `ptp-race-seed-${state.meta.seed}`, kind);
  };

  function colour(name) {
    return getComputedStyle(document.querySelector(".ptp-race")).getPropertyValue(`--ptp-${name}`).trim();
  }

  function draw(state) {
    const picture = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: WIDTH, "font-family": "system-ui, DejaVu Sans, sans-serif" });
    const put = (text, x, y, size, fill, extra) => picture.append(svg("text", { x, y, "font-size": size, fill, text, ...extra }));
    const background = svg("rect", { width: WIDTH, height: 10, fill: colour("paper") });
    picture.append(background);
    let y = 60;
    put("PTP Lab", MARGIN, y, 26, colour("ink"), { "font-weight": 700 });
    put(clip(lab.plain(state.meta.prompt), 95), MARGIN, (y += 32), 17, colour("ink"));
    const s = state.meta.sampling;
    put(`${state.meta.model} · seed ${state.meta.seed} · T ${s.temperature} · top-k ${s.top_k} · top-p ${s.top_p} · ${state.meta.device} ${state.meta.dtype}`, MARGIN, (y += 24), 13, colour("soft"));
    y = figures(state, put, y + 56);
    y = timelines(state, picture, put, y + 30);
    for (const [name, title] of [["ar", "Autoregressive"], ["ptp", "Parallel"]]) {
      if (!state.lanes[name].tokens.length) continue;
      put(title, MARGIN, (y += 44), 16, colour("ink"), { "font-weight": 700 });
      y = tokens(state.lanes[name].tokens, name, picture, y + 12);
    }
    const height = Math.ceil(y + 40);
    picture.setAttribute("height", height);
    picture.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    background.setAttribute("height", height);
    return picture;
  }

  const clip = (text, length) => (text.length > length ? text.slice(0, length - 1) + "…" : text);

  function figures(state, put, y) {
    const s = state.summary, ar = s.lanes.ar, ptp = s.lanes.ptp;
    const items = [];
    if (ar && ptp) items.push([`${ar.calls} → ${ptp.calls}`, "model calls, AR → PTP"]);
    if (ptp) items.push([ptp.tokens_per_call.toFixed(2), "tokens per call"]);
    if (s.speedup) items.push([s.speedup.toFixed(2) + "×", "measured speed-up"]);
    if (ar && ptp) items.push([s.divergence === null ? `✓ ${ptp.tokens} / ${ptp.tokens}` : `≠ at ${s.divergence + 1}`, "same u, same text"]);
    items.forEach(([value, label], i) => {
      put(value, MARGIN + 280 * i, y, 30, colour("ink"), { "font-weight": 700 });
      put(label, MARGIN + 280 * i, y + 22, 13, colour("soft"));
    });
    return y + 22;
  }

  function timelines(state, picture, put, y) {
    const wide = WIDTH - 2 * MARGIN - 50;
    const total = Math.max(1e-9, ...["ar", "ptp"].map((name) => state.lanes[name].ends[state.lanes[name].steps.length]));
    for (const name of ["ar", "ptp"]) {
      const track = state.lanes[name];
      put(name.toUpperCase(), MARGIN, y + 16, 13, colour("soft"));
      track.steps.forEach((step, i) => {
        const x = MARGIN + 50 + (wide * track.ends[i]) / total, width = (wide * (track.ends[i + 1] - track.ends[i])) / total;
        picture.append(svg("rect", { x, y, width: Math.max(width - 1.5, 0.5), height: 20, rx: 2, fill: colour(name === "ptp" && step.e.length > 1 ? "accepted-bg" : "block") }));
      });
      y += 28;
    }
    put(`0 to ${total.toFixed(0)} ms, measured`, MARGIN + 50, y + 10, 12, colour("soft"));
    return y + 10;
  }

  function tokens(list, name, picture, y) {
    const pen = document.createElement("canvas").getContext("2d");
    const mono = "ui-monospace, DejaVu Sans Mono, monospace";
    pen.font = `${FONT}px ${mono}`;
    let x = MARGIN;
    for (const token of list) {
      const text = token.t ? lab.plain(token.t) : lab.plain(token.l || "…");
      const width = pen.measureText(text).width + 6;
      if (x + width > WIDTH - MARGIN) { x = MARGIN; y += LINE; }
      if (name === "ptp" && !token.alone) {
        picture.append(svg("rect", { x, y: y + 2, width, height: 23, rx: 3, fill: colour(`${token.src}-bg`) }));
        picture.append(svg("rect", { x, y: y + 24, width, height: 2, fill: colour(token.src) }));
        const glyph = lab.STATUS[token.src].glyph;
        if (glyph) picture.append(svg("text", { x: x + width - 8, y: y + 7, "font-size": 9, fill: colour(token.src), text: glyph }));
      }
      picture.append(svg("text", { x: x + 3, y: y + 19, "font-size": FONT, "font-family": mono, fill: colour("ink"), "xml:space": "preserve", text }));
      x += width + 3;
      if (token.t.includes("\n")) { x = MARGIN; y += LINE; }
    }
    return y + LINE;
  }
})(window.PTPLab);
