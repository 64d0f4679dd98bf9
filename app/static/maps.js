// Pictures of noise maps: the unit square and the sweep. Data: app/views/noise.py.
"use strict";

(function (lab) {
  const { el, svg } = lab;
  const SIDE = 300, PAD = 26;
  const KEYED = 7;  // colours of the legend; whatever has none is grey

  const label = (map, token) => lab.plain(map.texts[token] || "");
  const area = (column, cell) => (column[1] - column[0]) * (cell[1] - cell[0]);

  // The largest keys first: key -> index of its colour.
  function ranked(sizes) {
    const order = [...sizes].sort((a, b) => b[1] - a[1]).slice(0, KEYED).map(([key]) => key);
    return new Map(order.map((key, i) => [key, i]));
  }

  const tint = (colours, key) => (colours.has(key) ? `ptp-key-${colours.get(key)}` : "ptp-key-rest");

  // ---- the strip of one token, as a picture of its own ---------------------------------------------------

  // token: a view of app/views/race.py; draft: the staircase's map of the same position, or null.
  lab.stripPicture = function (token, draft) {
    const wide = 1000, at = (u) => 10 + u * (wide - 20), rows = [["the model", token.c.map(([text, prob, left, own]) => [left, left + prob, text, own])]];
    if (draft && draft.kind) rows.push(["the PTP draft", draft.draft.map(([a, b, [t]]) => [a, b, draft.texts[t] || "", false])]);
    const height = 34 + 62 * rows.length + 22;
    const picture = svg("svg", { class: "nz-exported", viewBox: `0 0 ${wide} ${height}`, width: wide, height, style: "position:absolute;left:-9999px" });
    rows.forEach(([title, bins], i) => {
      const y = 34 + 62 * i;
      picture.append(svg("text", { class: "nz-axis", x: 10, y: y - 5, text: title }), svg("rect", { class: "nz-ground", x: at(0), y, width: at(1) - at(0), height: 36 }));
      for (const [left, right, text, own] of bins) {
        const width = at(right) - at(left);
        picture.append(svg("rect", { class: own ? "nz-bin-own" : "nz-bin", x: at(left), y, width: Math.max(width - 1, 0.4), height: 36 }));
        if (width > 40) picture.append(svg("text", { class: "nz-in", x: at(left) + 5, y: y + 22, text: lab.plain(text).slice(0, Math.floor(width / 9)) }));
      }
    });
    picture.append(svg("line", { class: "ptp-needle", x1: at(token.u), x2: at(token.u), y1: 26, y2: height - 22 }),
      svg("text", { class: "nz-axis", x: Math.min(Math.max(at(token.u), 50), wide - 50), y: height - 6, "text-anchor": "middle", text: `token ${token.p + 1}, u = ${token.u.toFixed(5)}` }));
    return picture;
  };
  lab.stripRows = (token) => [["token", "probability", "u_from", "u_to", "chosen"], ...token.c.map(([text, prob, left, own]) => [text, prob, left, left + prob, own ? 1 : 0]),
    ...token.ex.map(([text, prob]) => [text, prob, "", "", "removed by the filters"])];
  lab.tapeRows = (tokens) => [["position", "token", "u", "bin_from", "bin_to", "probability", "margin"], ...tokens.map((t) => [t.p + 1, t.t || t.l, t.u, t.lo, t.hi, t.pr, t.m === null ? "" : t.m])];

  // A Plotly figure on the page as one picture: its layers, one over the other.
  lab.plotPicture = function (plot) {
    const layers = [...plot.querySelectorAll("svg.main-svg")], box = plot.getBoundingClientRect();
    const picture = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: Math.round(box.width), height: Math.round(box.height) });
    picture.append(svg("rect", { width: "100%", height: "100%", fill: getComputedStyle(plot).getPropertyValue("--ptp-panel").trim() }));
    for (const layer of layers) picture.append(lab.painted(layer));
    return picture;
  };

  // ---- the unit square -----------------------------------------------------------------------------

  // here: {u1, u2}; choose(u1, u2) is called on a click or on Enter. Returns nodes.
  lab.square = function (map, here, choose) {
    const sizes = new Map();
    for (const column of map.target) for (const cell of column[3]) {
      const key = `${column[2]} ${cell[2]}`;
      sizes.set(key, (sizes.get(key) || 0) + area(column, cell));
    }
    const colours = ranked(sizes);
    const says = el("p", { class: "ptp-facts nz-says", "aria-live": "off", text: "Point at a cell to see its pair of tokens." });
    const panels = [["target", "target", map.target, null]];
    if (map.draft) panels.push(["draft", "PTP draft, reads u", map.draft.columns, map.draft]);
    if (map.blind) panels.push(["blind", "draft without u", map.blind.columns, map.blind]);
    const figures = panels.map(([name, title, columns, drafted]) => el("figure", { class: "nz-figure" }, [
      el("figcaption", {}, [el("b", { text: title }), el("span", { class: "ptp-soft", text: drafted ? agreement(drafted) : "exact" })]),
      panel(map, name, columns, colours, here, says, choose),
    ]));
    const legend = el("p", { class: "nz-legend" }, [...colours].map(([key, i]) => el("span", {}, [
      el("i", { class: `nz-swatch ptp-key-${i}` }), ...pairNodes(map, key), el("small", { class: "ptp-soft", text: lab.percent(sizes.get(key)) }),
    ])));
    const hatched = map.draft ? el("p", { class: "ptp-soft nz-small", text: "Hatched: the draft's second token is not the target's. Maps show what slots draft by themselves, as in the paper; a chain head is not asked." }) : null;
    return [el("div", { class: "nz-figures" }, figures), says, legend, hatched];
  };

  function agreement(drafted) {
    const error = drafted.error ? ` ± ${(100 * drafted.error).toFixed(0)}` : "";
    return `second token right on ${(100 * drafted.second).toFixed(0)}${error} % of the area, pair on ${(100 * drafted.pair).toFixed(0)} %`;
  }

  const pairNodes = (map, key) => key.split(" ").map((token) => el("span", { class: "ptp-name" }, lab.nodes(map.texts[token] || "")));

  function panel(map, name, columns, colours, here, says, choose) {
    const box = SIDE + PAD + 6;
    const at = (u) => PAD + u * SIDE, up = (u) => 6 + (1 - u) * SIDE;
    const picture = svg("svg", { class: `nz-square is-${name}`, viewBox: `0 0 ${box} ${box}`, role: "img", tabindex: "0",
      "aria-label": `${name}: second token against first, ${columns.length} columns. Arrow keys move the cross, Enter sets the noise.` });
    picture.append(svg("defs", {}, svg("pattern", { id: `nz-hatch-${name}`, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 2, height: 6, class: "nz-hatch" }))));
    const cell = (kind, left, right, bottom, top, fill) => svg("rect", { class: kind, x: at(left), y: up(top), width: (right - left) * SIDE, height: (top - bottom) * SIDE, fill });
    picture.append(cell("nz-ground", 0, 1, 0, 1));
    for (const [left, right, first, cells] of columns) {
      for (const [bottom, top, second] of cells) picture.append(cell(`nz-cell ${tint(colours, `${first} ${second}`)}`, left, right, bottom, top));
    }
    if (name !== "target") for (const [left, right, bottom, top] of differences(columns, map.target)) picture.append(cell("nz-wrong", left, right, bottom, top, `url(#nz-hatch-${name})`));
    const cross = svg("g", { class: "nz-cross" }, [svg("line", { y1: 6, y2: 6 + SIDE }), svg("line", { x1: PAD, x2: PAD + SIDE }), svg("circle", { r: 4 })]);
    const put = (u1, u2) => {
      const [one, two, dot] = cross.children;
      for (const [line, key, value] of [[one, "x1", at(u1)], [one, "x2", at(u1)], [two, "y1", up(u2)], [two, "y2", up(u2)], [dot, "cx", at(u1)], [dot, "cy", up(u2)]]) line.setAttribute(key, value);
    };
    put(here.u1, here.u2);
    picture.append(cross, svg("text", { class: "nz-axis", x: PAD + SIDE / 2, y: box - 6, "text-anchor": "middle", text: "u₁" }),
      svg("text", { class: "nz-axis", x: 8, y: 10 + SIDE / 2, text: "u₂" }));
    let u1 = here.u1, u2 = here.u2;
    const tell = (a, b) => {
      const column = columns.find((c) => a >= c[0] && a < c[1]), found = column && column[3].find((c) => b >= c[0] && b < c[1]);
      says.replaceChildren(...(found ? [
        document.createTextNode(`u₁ ${a.toFixed(3)}, u₂ ${b.toFixed(3)}: `), ...pairNodes(map, `${column[2]} ${found[2]}`),
        document.createTextNode(`  ${lab.percent(area(column, found))} of the square`)] : [document.createTextNode(`u₁ ${a.toFixed(3)}, u₂ ${b.toFixed(3)}: a pair too rare to be listed`)]));
    };
    const place = (event) => {
      const r = picture.getBoundingClientRect(), k = box / r.width;
      const inside = (v) => Math.min(Math.max(v, 0), 0.99999);
      return [inside(((event.clientX - r.left) * k - PAD) / SIDE), inside(1 - ((event.clientY - r.top) * k - 6) / SIDE)];
    };
    picture.addEventListener("pointermove", (event) => { says.setAttribute("aria-live", "off"); tell(...place(event)); });
    picture.addEventListener("click", (event) => choose(...place(event)));
    picture.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.01, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
      if (event.key === "Enter") { event.preventDefault(); choose(u1, u2); return; }
      if (!moves) return;
      event.preventDefault();
      u1 = Math.min(Math.max(u1 + moves[0], 0), 0.99999); u2 = Math.min(Math.max(u2 + moves[1], 0), 0.99999);
      says.setAttribute("aria-live", "polite");  // keys speak, the pointer does not
      put(u1, u2); tell(u1, u2);
    });
    return picture;
  }

  // Where the second tokens of two partitions differ, as [left, right, bottom, top].
  function differences(mine, theirs) {
    const found = [];
    for (const a of mine) for (const b of theirs) {
      const left = Math.max(a[0], b[0]), right = Math.min(a[1], b[1]);
      if (right - left < 0.002) continue;
      const edges = [...new Set([...a[3], ...b[3]].flatMap((c) => [c[0], c[1]]))].sort((x, y) => x - y);
      const token = (cells, u) => (cells.find((c) => u >= c[0] && u < c[1]) || [])[2];
      let start = null;
      for (let i = 0; i + 1 < edges.length; i += 1) {
        const middle = (edges[i] + edges[i + 1]) / 2, wrong = token(a[3], middle) !== token(b[3], middle);
        if (wrong && start === null) start = edges[i];
        if (start !== null && (!wrong || i + 2 === edges.length)) {
          const end = wrong ? edges[i + 1] : edges[i];
          if (end - start > 0.004) found.push([left, right, start, end]);
          start = null;
        }
      }
    }
    return found;
  }

  lab.squareRows = (map) => [["of", "u1_from", "u1_to", "u2_from", "u2_to", "first", "second"],
    ...[["target", map.target], ["draft", map.draft && map.draft.columns], ["blind", map.blind && map.blind.columns]].flatMap(([name, columns]) =>
      (columns || []).flatMap((c) => c[3].map((x) => [name, c[0], c[1], x[0], x[1], map.texts[c[2]], map.texts[x[2]]])))];

  // ---- the sweep -------------------------------------------------------------------------------------

  // now: the tokens' texts on screen, by position; choose(u) on a click. Returns nodes.
  lab.sweep = function (map, u, choose) {
    const count = map.last - map.first + 1;
    const nodes = [rows(map, map.target, count, u, choose, "The text")];
    if (map.draft) {
      const length = Math.max(...map.draft.map((s) => s[2].length));
      nodes.push(rows(map, map.draft, length, u, choose, "What the PTP slots draft there by themselves, without a chain head"));
      const [asked, wrong] = map.probes;
      nodes.push(el("p", { class: "ptp-soft nz-small", text: `The draft was asked at points: its changes lie within ${(100 * map.error).toFixed(1)} % of u in all; of ${asked} further points the picture has ${wrong} wrong.` }));
    }
    return nodes;
  };

  function rows(map, stretches, count, u, choose, title) {
    const wide = 1000, high = 26, left = 46, top = 20, height = top + count * high + 22;
    const at = (x) => left + x * (wide - left - 8);
    const picture = svg("svg", { class: "nz-sweep", viewBox: `0 0 ${wide} ${height}`, role: "slider", tabindex: "0", "aria-valuemin": "0", "aria-valuemax": "1", "aria-valuenow": u.toFixed(3),
      "aria-label": `${title}: tokens ${map.first + 1} to ${map.first + count} as u of token ${map.first + 1} runs from 0 to 1. Arrow keys go from text to text, Enter sets the noise.` });
    picture.append(svg("text", { class: "nz-axis", x: left, y: 13, text: title }));
    const here = stretches.find((s) => u >= s[0] && u < s[1]);
    for (let k = 0; k < count; k += 1) {
      const sizes = new Map();
      for (const [a, b, tokens] of stretches) if (k < tokens.length) sizes.set(tokens[k], (sizes.get(tokens[k]) || 0) + b - a);
      const colours = ranked(sizes), y = top + k * high;
      picture.append(svg("text", { class: "nz-axis", x: 4, y: y + 17, text: String(map.first + k + 1) }));
      for (let i = 0; i < stretches.length; i += 1) {
        const token = stretches[i][2][k];
        if (token === undefined) continue;
        let end = i;  // neighbours with the same token are one block
        while (end + 1 < stretches.length && stretches[end + 1][2][k] === token) end += 1;
        const from = at(stretches[i][0]), width = at(stretches[end][1]) - from, own = here && here[2][k] === token;
        picture.append(svg("g", { class: "nz-block" + (own ? " is-own" : "") }, [
          svg("title", { text: `${label(map, token)}, u from ${stretches[i][0].toFixed(3)} to ${stretches[end][1].toFixed(3)}` }),
          svg("rect", { class: tint(colours, token), x: from, y: y + 1, width: Math.max(width - 1, 0.5), height: high - 2, rx: 3 }),
          width > 7.5 * Math.min(label(map, token).length, 12) + 6 ? svg("text", { class: "nz-in", x: from + 5, y: y + 17, text: label(map, token).slice(0, Math.floor(width / 7.5)) }) : null,
        ]));
        i = end;
      }
    }
    const needle = svg("line", { class: "ptp-needle", x1: at(u), x2: at(u), y1: top - 4, y2: top + count * high + 4 });
    picture.append(needle,
      svg("text", { class: "nz-axis", x: at(u), y: height - 4, "text-anchor": u > 0.9 ? "end" : u < 0.1 ? "start" : "middle", text: `u = ${u.toFixed(3)}` }));
    let at_ = u;
    const spoken = (x) => {
      const one = stretches.find((s) => x >= s[0] && x < s[1]);
      return one ? `u ${x.toFixed(3)}: ${one[2].map((token) => label(map, token)).join("")}` : `u ${x.toFixed(3)}`;
    };
    picture.addEventListener("keydown", (event) => {
      const edges = stretches.map((s) => s[0]), by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Enter") { event.preventDefault(); choose(at_); return; }
      if (!by) return;
      event.preventDefault();
      const i = Math.min(Math.max(stretches.findIndex((s) => at_ >= s[0] && at_ < s[1]) + by, 0), edges.length - 1);
      at_ = (stretches[i][0] + stretches[i][1]) / 2;
      for (const key of ["x1", "x2"]) needle.setAttribute(key, at(at_));
      picture.setAttribute("aria-valuenow", at_.toFixed(3));
      picture.setAttribute("aria-valuetext", spoken(at_));
    });
    picture.addEventListener("click", (event) => {
      const r = picture.getBoundingClientRect();
      const x = (((event.clientX - r.left) / r.width) * wide - left) / (wide - left - 8);
      if (x >= 0 && x < 1) choose(x);
    });
    return picture;
  }

  lab.sweepRows = (map) => [["of", "u_from", "u_to", "position", "token"],
    ...[["target", map.target], ["draft", map.draft]].flatMap(([name, stretches]) =>
      (stretches || []).flatMap(([a, b, tokens]) => tokens.map((token, k) => [name, a, b, map.first + k + 1, map.texts[token]])))];
})(window.PTPLab);
