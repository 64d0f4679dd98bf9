// The CDF strip of one token: the unit interval cut into bins, u dropped on it.
"use strict";

(function (lab) {
  const WIDTH = 1000, HEIGHT = 92, TOP = 26, BAR = 40;

  // token: a view of app/views/race.py. Returns an <svg> that scales with its box.
  lab.strip = function (token) {
    const picture = lab.svg("svg", {
      class: "ptp-strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
      "aria-label": describe(token),
    });
    const stripes = lab.svg("pattern", { id: "ptp-stripes", width: 10, height: 10, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      lab.svg("rect", { width: 4, height: 10, class: "ptp-stripe" }));
    picture.append(lab.svg("defs", {}, stripes));
    let covered = 0;
    for (const [text, prob, left, own] of token.c) {
      if (left > covered + 1e-4) picture.append(omitted(covered, left));
      picture.append(bin(text, prob, left, own));
      covered = left + prob;
    }
    if (covered < 1 - 1e-3) picture.append(omitted(covered, 1));
    const x = token.u * WIDTH;
    picture.append(
      lab.svg("line", { class: "ptp-needle", x1: x, x2: x, y1: TOP - 8, y2: TOP + BAR + 8, "vector-effect": "non-scaling-stroke" }),
    );
    return picture;
  };

  function bin(text, prob, left, own) {
    const group = lab.svg("g", { class: "ptp-bin" + (own ? " is-own" : "") });
    group.append(
      lab.svg("title", { text: `${lab.plain(text)}  ${lab.percent(prob)}` }),
      lab.svg("rect", { x: left * WIDTH, y: TOP, width: Math.max(prob * WIDTH - 1.5, 0.5), height: BAR }),
    );
    return group;
  }

  function omitted(from, to) {
    return lab.svg("rect", { class: "ptp-omitted", x: from * WIDTH, y: TOP, width: (to - from) * WIDTH, height: BAR });
  }

  function describe(token) {
    return `u is ${token.u.toFixed(3)}; the bin of this token runs from ${token.lo.toFixed(3)} to ${token.hi.toFixed(3)}`;
  }

  // Labels lie over the strip as text, so that they keep their size when it is stretched.
  lab.stripLabels = (token) =>
    token.c.filter(([, prob]) => prob > 0.045).map(([text, prob, left, own]) =>
      lab.el("span", { class: "ptp-bin-label" + (own ? " is-own" : ""), style: `left:${100 * left}%;width:${100 * prob}%` }, [
        lab.el("b", {}, lab.nodes(text)), lab.el("small", { text: prob.toFixed(2) }),
      ]));
})(window.PTPLab);
