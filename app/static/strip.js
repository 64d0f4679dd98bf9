// The CDF strip of one token: the unit interval, or a part of it, cut into bins, u dropped on it.
"use strict";

(function (lab) {
  const WIDTH = 1000, HEIGHT = 92, TOP = 26, BAR = 40;
  const WHOLE = { from: 0, to: 1 };

  // token: a view of app/views/race.py; part: what of [0, 1) to show. Returns an <svg> that scales with its box.
  lab.strip = function (token, part = WHOLE) {
    const at = (u) => Math.min(Math.max((u - part.from) / (part.to - part.from), 0), 1) * WIDTH;
    const picture = lab.svg("svg", {
      class: "ptp-strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
      "aria-label": describe(token),
    });
    const stripes = lab.svg("pattern", { id: "ptp-stripes", width: 10, height: 10, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      lab.svg("rect", { width: 4, height: 10, class: "ptp-stripe" }));
    picture.append(lab.svg("defs", {}, stripes));
    const box = (name, from, to) => lab.svg("rect", { class: name, x: at(from), y: TOP, width: Math.max(at(to) - at(from), 0.5), height: BAR });
    const seen = (from, to) => to > part.from && from < part.to;
    let covered = 0;
    for (const [text, prob, left, own] of token.c) {
      if (left > covered + 1e-4 && seen(covered, left)) picture.append(box("ptp-omitted", covered, left));
      covered = left + prob;
      if (!seen(left, covered)) continue;
      picture.append(lab.svg("g", { class: "ptp-bin" + (own ? " is-own" : "") }, [
        lab.svg("title", { text: `${lab.plain(text)}  ${lab.percent(prob)}` }),
        lab.svg("rect", { x: at(left), y: TOP, width: Math.max(at(covered) - at(left) - 1.5, 0.5), height: BAR }),
      ]));
    }
    if (covered < 1 - 1e-3 && seen(covered, 1)) picture.append(box("ptp-omitted", covered, 1));
    if (seen(token.u, token.u + 1e-9)) {
      const x = at(token.u);
      picture.append(lab.svg("line", { class: "ptp-needle", x1: x, x2: x, y1: TOP - 8, y2: TOP + BAR + 8, "vector-effect": "non-scaling-stroke" }));
    }
    return picture;
  };

  function describe(token) {
    return `u is ${token.u.toFixed(3)}; the bin of this token runs from ${token.lo.toFixed(3)} to ${token.hi.toFixed(3)}`;
  }

  // Labels lie over the strip as text, so that they keep their size when it is stretched.
  lab.stripLabels = function (token, part = WHOLE) {
    const scale = 1 / (part.to - part.from);
    const labels = [];
    for (const [text, prob, left, own] of token.c) {
      const from = Math.max((left - part.from) * scale, 0), to = Math.min((left + prob - part.from) * scale, 1);
      if (to - from < 0.045) continue;
      labels.push(lab.el("span", { class: "ptp-bin-label" + (own ? " is-own" : ""), style: `left:${100 * from}%;width:${100 * (to - from)}%` }, [
        lab.el("b", {}, lab.nodes(text)), lab.el("small", { text: prob.toFixed(prob < 0.01 ? 4 : 2) }),
      ]));
    }
    return labels;
  };
})(window.PTPLab);
