// Charts as inline SVG: columns, lying bars, a curve against its diagonal, lines. Drawn from an exhibit
// of app/views/exhibits.py; a second exhibit of the same kind may stand beside it for comparison.
"use strict";

(function (lab) {
  const { el, svg } = lab;
  const HEIGHT = 230, LINE = 13;

  // figure: the box. exhibit, other: what to draw (other may be null). pick(index, series): a bar was chosen.
  lab.chart = function (figure, exhibit, other, pick) {
    const tip = el("div", { class: "ptp-tip", hidden: true });
    const chart = { draw, tip, chosen: null };
    function draw() {
      const width = Math.max(250, Math.floor(figure.clientWidth));
      const picture = KINDS[exhibit.kind](exhibit, other, width);
      picture.setAttribute("role", "group");
      picture.setAttribute("aria-label", `${exhibit.title}. ${exhibit.says}`);
      const marks = [...picture.querySelectorAll(".ptp-mark")];
      marks.forEach((mark, i) => mark.setAttribute("tabindex", i ? "-1" : "0"));
      if (chart.chosen) picture.querySelector(chart.chosen)?.classList.add("is-chosen");
      tip.hidden = true;
      figure.replaceChildren(picture, tip);
    }
    const markOf = (event) => event.target.closest && event.target.closest(".ptp-mark");
    function show(event) {
      const mark = markOf(event);
      if (!mark) return;
      tip.textContent = mark.getAttribute("aria-label");
      tip.hidden = false;
      const box = mark.getBoundingClientRect(), home = figure.getBoundingClientRect();
      const left = box.left + box.width / 2 - home.left - tip.offsetWidth / 2;
      const above = box.top - home.top - tip.offsetHeight - 6;
      tip.style.left = `${Math.max(0, Math.min(left, home.width - tip.offsetWidth))}px`;
      tip.style.top = `${above < -64 ? box.bottom - home.top + 6 : above}px`;
    }
    const hide = () => { tip.hidden = true; };
    function choose(mark) {
      if (!exhibit.drill) return;
      chart.chosen = `.ptp-mark[data-index="${mark.dataset.index}"][data-series="${mark.dataset.series}"]`;
      for (const one of figure.querySelectorAll(".ptp-mark")) one.classList.toggle("is-chosen", one === mark);
      pick(Number(mark.dataset.index), Number(mark.dataset.series));
    }
    figure.addEventListener("mouseover", show);
    figure.addEventListener("focusin", show);
    figure.addEventListener("mouseout", hide);
    figure.addEventListener("focusout", hide);
    figure.addEventListener("click", (event) => { const mark = markOf(event); if (mark) choose(mark); });
    figure.addEventListener("keydown", (event) => {
      const mark = markOf(event);
      if (!mark || event.ctrlKey || event.metaKey || event.altKey) return;
      const marks = [...figure.querySelectorAll(".ptp-mark")], i = marks.indexOf(mark);
      const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: marks.length - 1 }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        const next = marks[Math.min(Math.max(to, 0), marks.length - 1)];
        mark.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      } else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(mark); }
      else if (event.key === "Escape") hide();
    });
    draw();
    return chart;
  };

  lab.itemName = (exhibit, item) => (exhibit.noun ? `${exhibit.noun} ` : "") + item.label;

  // ---- parts -----------------------------------------------------------------------------------------

  function mark(exhibit, item, index, series, children) {
    return svg("g", {
      class: `ptp-mark is-series-${series}${exhibit.drill ? " is-drill" : ""}`, "data-index": index, "data-series": series,
      role: exhibit.drill ? "button" : "img", "aria-label": `${lab.itemName(exhibit, item)}: ${item.text}`,
    }, children);
  }

  const text = (x, y, words, extra) => svg("text", { x, y, class: "ptp-tick", text: words, ...extra });
  const line = (x1, y1, x2, y2, kind) => svg("line", { x1, y1, x2, y2, class: kind });

  function format(value, exhibit) {
    if (exhibit.y === "share") return `${Math.round(100 * value)} %`;
    return value.toFixed(exhibit.y === "count" || value >= 100 ? 0 : 2) + (exhibit.unit || "");
  }
  // On an axis: without the zeros behind the point.
  const short = (value, exhibit) => (exhibit.y === "share" ? format(value, exhibit) : Number(value.toPrecision(4)) + (exhibit.unit || ""));

  // Round steps from low to high: about `wanted` of them.
  function ticks(low, high, wanted) {
    const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i += 1) found.push(Number((i * step).toPrecision(6)));
    return found;
  }

  function highest(exhibit, items) {
    if (exhibit.y === "share") {  // a scale of 100 % where shares are large, a closer one where all are small
      const most = Math.max(0.05, ...items.flatMap((i) => [i.value, i.mark, i.count > 4 ? i.high : 0].map((v) => v || 0)));
      return most > 0.5 ? 1 : ticks(0, most * 1.15, 4).pop() + (ticks(0, most * 1.15, 4)[1] || 0);
    }
    return Math.max(1e-9, ...items.flatMap((i) => [i.value, i.high, i.mark].map((v) => v || 0))) * 1.08;
  }

  function words(label, room) {  // a label in up to three lines
    const most = Math.max(3, Math.floor(room / 6.3)), lines = [""];
    for (const word of label.split(" ")) {
      const last = lines[lines.length - 1];
      if (!last || (last + " " + word).length <= most) lines[lines.length - 1] = last ? `${last} ${word}` : word;
      else lines.push(word);
    }
    return lines.slice(0, 3);
  }

  function stacked(x, y, lines, anchor) {
    return svg("text", { class: "ptp-tick", "text-anchor": anchor }, lines.map((part, i) => svg("tspan", { x, y: y + i * LINE, text: part })));
  }

  const LEFT = 46, EDGE = 8;  // beside an upright plot

  // Axes of an upright plot with labels of `deep` lines below; returns the place of a value and the plot's edges.
  function frame(picture, exhibit, width, deep, high, low = 0) {
    const left = LEFT, right = width - EDGE, top = 10, bottom = HEIGHT - 26 - LINE * deep;
    const y = (value) => bottom - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (bottom - top);
    for (const tick of ticks(low, high, 4)) {
      picture.append(line(left, y(tick), right, y(tick), "ptp-grid"), text(left - 6, y(tick) + 4, short(tick, exhibit), { "text-anchor": "end" }));
    }
    picture.append(text((left + right) / 2, HEIGHT - 6, exhibit.axis || "", { "text-anchor": "middle", class: "ptp-tick is-title" }));
    return { left, right, top, bottom, y };
  }

  function blank(width, height = HEIGHT) {
    const picture = svg("svg", { class: "ptp-chart", width, height, viewBox: `0 0 ${width} ${height}` });
    const hatch = svg("pattern", { id: "ptp-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 2.4, height: 6, class: "ptp-hatch" }));
    picture.append(svg("defs", {}, hatch));
    return picture;
  }

  const whisker = (x, low, high) => [line(x, low, x, high, "ptp-whisker"), line(x - 3, low, x + 3, low, "ptp-whisker"), line(x - 3, high, x + 3, high, "ptp-whisker")];

  // ---- kinds -----------------------------------------------------------------------------------------

  // Both series, item by item: [item, index, series].
  function pairs(exhibit, other) {
    const count = Math.max(exhibit.items.length, other ? other.items.length : 0);
    return Array.from({ length: count }, (_, i) => [[exhibit.items[i], 0], [other && other.items[i], 1]].filter(([item]) => item));
  }
  const every = (exhibit, other) => [...exhibit.items, ...(other ? other.items : [])];

  function bars(exhibit, other, width) {
    const picture = blank(width);
    const relative = exhibit.y === "count" && other;  // runs of different length are compared by share
    const total = [exhibit, other].map((e) => (e ? e.items.reduce((sum, i) => sum + (i.value || 0), 0) || 1 : 1));
    const scaled = relative ? { ...exhibit, y: "share" } : exhibit;
    const value = (v, series) => (v === null || v === undefined ? null : relative ? v / total[series] : v);
    const all = [exhibit, other].flatMap((e, s) => (e ? e.items.map((i) => ({ ...i, value: value(i.value, s), mark: other ? null : i.mark })) : []));
    const groups = pairs(exhibit, other), room = (width - LEFT - EDGE) / Math.max(groups.length, 1);
    const deep = Math.max(1, ...groups.map(([[item]]) => words(item.label, room).length));
    const { left, right, bottom, y } = frame(picture, scaled, width, deep, highest(scaled, all));
    groups.forEach((group, i) => {
      const middle = left + room * (i + 0.5), wide = Math.min(46, room * 0.68), each = wide / (other ? 2 : 1);
      picture.append(stacked(middle, bottom + 15, words(group[0][0].label, room), "middle"));
      for (const [item, series] of group) {
        const x = middle - wide / 2 + series * each, center = x + each / 2, tall = value(item.value, series);
        const parts = [svg("rect", { x, y: 10, width: each, height: bottom - 10, class: "ptp-hit" })];
        if (tall !== null) parts.push(svg("rect", { x: x + 1, y: y(tall), width: Math.max(each - 2, 1), height: Math.max(bottom - y(tall), 1), rx: 2, class: "ptp-bar" }));
        if (tall !== null && item.low !== null && item.low !== undefined) parts.push(...whisker(center, y(item.low), y(item.high)));
        if (!other && item.mark !== null && item.mark !== undefined) parts.push(svg("circle", { cx: center, cy: y(item.mark), r: 5, class: "ptp-ring" }));
        if (tall === null) parts.push(text(center, bottom - 4, "–", { "text-anchor": "middle" }));
        picture.append(mark(exhibit, item, i, series, parts));
      }
    });
    picture.append(line(left, bottom, right, bottom, "ptp-axis-line"));
    return picture;
  }

  function rows(exhibit, other, width) {
    const groups = pairs(exhibit, other), tall = other ? 40 : 27, label = Math.min(170, width * 0.36);
    const picture = blank(width, groups.length * tall + 12), left = label + 8, right = width - 58;
    const most = Math.max(highest(exhibit, every(exhibit, other)), exhibit.base ? exhibit.base * 1.1 : 0);
    const x = (v) => left + (Math.min(v, most) / most) * (right - left);
    groups.forEach((group, i) => {
      const top = i * tall + 4, each = (tall - 8) / group.length;
      const lines = words(group[0][0].label, label).slice(0, 2);
      picture.append(stacked(label, top + tall / 2 - (lines.length - 1) * LINE / 2, lines, "end"));
      group.forEach(([item, series], k) => {
        const at = top + k * each, parts = [svg("rect", { x: left, y: at, width: width - left, height: each, class: "ptp-hit" })];
        if (item.value !== null) {
          parts.push(svg("rect", { x: left, y: at + 1, width: Math.max(x(item.value) - left, 1), height: each - 2, rx: 2, class: "ptp-bar" }));
          if (item.low !== null && item.low !== undefined) parts.push(line(x(item.low), at + each / 2, x(item.high), at + each / 2, "ptp-whisker"));
        }
        const end = item.high !== null && item.high !== undefined && item.value !== null ? x(Math.max(item.high, item.value)) : x(item.value || 0);
        parts.push(text(Math.max(end, left) + 5, at + each / 2 + 4, item.value === null ? "–" : format(item.value, exhibit), { class: "ptp-tick is-value" }));
        picture.append(mark(exhibit, item, i, series, parts));
      });
    });
    if (exhibit.base) picture.append(line(x(exhibit.base), 0, x(exhibit.base), groups.length * tall + 4, "ptp-base"));
    picture.append(line(left, 2, left, groups.length * tall + 4, "ptp-axis-line"));
    return picture;
  }

  function curve(exhibit, other, width) {
    const picture = blank(width);
    const seen = every(exhibit, other).filter((i) => i.count && i.value !== null);
    const most = exhibit.y === "share" ? 1 : Math.max(0.5, ...seen.flatMap((i) => [i.x, i.value])) * 1.1;
    const { left, right, bottom, top, y } = frame(picture, exhibit, width, 1, most);
    const x = (v) => left + (v / most) * (right - left);
    for (const tick of ticks(0, most, 5)) picture.append(text(x(tick), bottom + 15, short(tick, exhibit), { "text-anchor": tick === most ? "end" : "middle" }));
    picture.append(line(left, bottom, x(most), top, "ptp-base"), line(left, bottom, right, bottom, "ptp-axis-line"));
    const largest = Math.max(...seen.map((i) => i.count), 1);
    [exhibit, other].forEach((one, series) => {
      if (!one) return;
      const points = one.items.map((item, i) => [item, i]).filter(([item]) => item.count && item.value !== null);
      picture.append(svg("polyline", { points: points.map(([item]) => `${x(item.x)},${y(item.value)}`).join(" "), class: `ptp-line is-series-${series}` }));
      for (const [item, i] of points) {
        const radius = 4 + 7 * Math.sqrt(item.count / largest);
        const parts = [svg("circle", { cx: x(item.x), cy: y(item.value), r: Math.max(radius, 12), class: "ptp-hit" })];
        if (item.low !== null) parts.push(...whisker(x(item.x), y(item.low), y(item.high)));
        parts.push(svg("circle", { cx: x(item.x), cy: y(item.value), r: radius, class: "ptp-bar" }));
        picture.append(mark(exhibit, item, i, series, parts));
      }
    });
    return picture;
  }

  const SHAPES = [
    (x, y) => svg("circle", { cx: x, cy: y, r: 4.5, class: "ptp-dot" }),
    (x, y) => svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, class: "ptp-dot" }),
    (x, y) => svg("path", { d: `M${x} ${y - 5.5}L${x + 5} ${y + 4}H${x - 5}Z`, class: "ptp-dot" }),
    (x, y) => svg("path", { d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z`, class: "ptp-dot" }),
    (x, y) => svg("path", { d: `M${x - 5} ${y - 5}L${x + 5} ${y + 5}M${x - 5} ${y + 5}L${x + 5} ${y - 5}`, class: "ptp-dot is-cross" }),
  ];

  function lines(exhibit, _, width) {
    const picture = blank(width);
    const items = exhibit.lines.flatMap((one) => one.items).filter((i) => i.value !== null);
    const most = Math.max(...items.map((i) => Math.max(i.value, i.high || 0)), exhibit.base || 0) * 1.05;
    const least = exhibit.base === 1 ? Math.min(...items.map((i) => Math.min(i.value, i.low || i.value)), 1) * 0.95 : 0;
    const room = (width - LEFT - EDGE) / exhibit.places.length;
    const deep = Math.max(...exhibit.places.map((place) => words(place, room).length));
    const { left, right, bottom, y } = frame(picture, exhibit, width, deep, most, least), x = (i) => left + room * (i + 0.5);
    exhibit.places.forEach((place, i) => picture.append(stacked(x(i), bottom + 15, words(place, room), "middle")));
    if (exhibit.base === 1) picture.append(line(left, y(1), right, y(1), "ptp-base"));
    exhibit.lines.forEach((one, k) => {
      const points = one.items.map((item, i) => [item, i]).filter(([item]) => item.value !== null);
      const group = svg("g", { class: `ptp-series is-line-${k % SHAPES.length}` });
      group.append(svg("polyline", { points: points.map(([item, i]) => `${x(i)},${y(item.value)}`).join(" "), class: "ptp-line" }));
      for (const [item, i] of points) {
        const parts = [svg("circle", { cx: x(i), cy: y(item.value), r: 12, class: "ptp-hit" })];
        if (item.low !== null) parts.push(...whisker(x(i), y(item.low), y(item.high)));
        parts.push(SHAPES[k % SHAPES.length](x(i), y(item.value)));
        group.append(mark(exhibit, item, i, k, parts));
      }
      picture.append(group);
    });
    picture.append(line(left, bottom, right, bottom, "ptp-axis-line"));
    return picture;
  }

  const KINDS = { bars, rows, curve, lines };

  // A key for what the chart holds: [{kind, text}], kinds as css knows them.
  lab.chartKey = function (exhibit, names) {
    const entries = [];
    if (exhibit.kind === "lines") exhibit.lines.forEach((one, k) => entries.push([`is-line-${k % SHAPES.length}`, one.name, k]));
    else names.forEach((name, series) => entries.push([`is-series-${series}`, name, null]));
    if (exhibit.mark && names.length < 2) entries.push(["is-ring", exhibit.mark, null]);
    if (entries.length < 2) return null;
    return el("p", { class: "ptp-key" }, entries.map(([kind, name, k]) => el("span", { class: kind }, [keySign(kind, k), el("span", { text: name })])));
  };

  // The same in words, for a picture that stands alone.
  lab.chartKeyWords = function (exhibit, names) {
    const shapes = ["circle", "square", "triangle", "diamond", "cross"];
    if (exhibit.kind === "lines") return exhibit.lines.map((one, k) => `${shapes[k % shapes.length]}: ${one.name}`).join(", ");
    const parts = names.length > 1 ? [`solid: ${names[0]}`, `hatched: ${names[1]}`] : [];
    if (exhibit.mark && names.length < 2) parts.push(`ring: ${exhibit.mark}`);
    return parts.join(", ");
  };

  function keySign(kind, k) {
    const sign = svg("svg", { width: 18, height: 12, class: "ptp-sign", "aria-hidden": "true" });
    if (k !== null) sign.append(svg("g", { class: `ptp-series ${kind}` }, [svg("polyline", { points: "0,6 18,6", class: "ptp-line" }), SHAPES[k % SHAPES.length](9, 6)]));
    else if (kind === "is-ring") sign.append(svg("circle", { cx: 9, cy: 6, r: 4.5, class: "ptp-ring" }));
    else sign.append(svg("g", { class: `ptp-sample ${kind}` }, svg("rect", { x: 2, y: 1, width: 14, height: 10, rx: 2, class: "ptp-bar" })));
    return sign;
  }

  // ---- pictures of charts ----------------------------------------------------------------------------

  // The chart with its title and sentences, css written into it, as kind "svg" or "png".
  lab.saveChart = function (figure, lines, name, kind) {
    const chart = figure.querySelector("svg"), width = Number(chart.getAttribute("width")), high = Number(chart.getAttribute("height"));
    const colour = (which) => getComputedStyle(figure).getPropertyValue(`--ptp-${which}`).trim();
    const copy = lab.painted(chart);
    copy.setAttribute("y", 44);
    const wrapped = lines.slice(1).flatMap((sentence) => fold(sentence, width / 6.1));
    const total = high + 60 + 17 * wrapped.length;
    const picture = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, height: total, viewBox: `0 0 ${width} ${total}`, "font-family": "system-ui, DejaVu Sans, sans-serif" }, [
      svg("rect", { width, height: total, fill: colour("panel") }),
      svg("text", { x: 12, y: 28, "font-size": 16, "font-weight": 700, fill: colour("ink"), text: lines[0] }), copy,
      ...wrapped.map((part, i) => svg("text", { x: 12, y: high + 62 + 17 * i, "font-size": 11.5, fill: colour("soft"), text: part })),
    ]);
    return lab.savePicture(picture, name, kind);
  };

  function fold(sentence, most) {
    const found = [""];
    for (const word of sentence.split(" ")) {
      if ((found[found.length - 1] + " " + word).length > most) found.push(word);
      else found[found.length - 1] = (found[found.length - 1] + " " + word).trim();
    }
    return found;
  }
})(window.PTPLab);
