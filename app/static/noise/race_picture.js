// @ts-check
// A race of clocks as a picture that stands alone: one row a runner, one dot a clock.

import { svg } from "../core/dom.js";
import { plain } from "../core/text.js";
import { onTrack } from "./clocks.js";

/** @typedef {{ text: string, odds: string, times: (number | null)[] }} Row times: the target's, then the draft's */

const WIDE = 1000, ROW = 26, TOP = 40, NAME = 170, ODDS = 120, RIGHT = 70;
/** @param {number} time */
const across = (time) => NAME + ODDS + onTrack(time) * (WIDE - NAME - ODDS - RIGHT);

/**
 * @param {string} title
 * @param {Row[]} rows
 */
export function racePicture(title, rows) {
  const height = TOP + ROW * rows.length + 26, both = rows.some(({ times }) => times.length > 1);
  const picture = svg("svg", {
    class: "nz-exported", viewBox: `0 0 ${WIDE} ${height}`, width: WIDE, height,
    style: "position:absolute;left:-9999px",
  }, [svg("text", { class: "nz-axis", x: 10, y: 22, text: title })]);
  rows.forEach(({ text, odds, times }, i) => {
    const y = TOP + ROW * i + ROW / 2;
    picture.append(
      svg("text", { class: "nz-in", x: 10, y: y + 5, text: plain(text).slice(0, 18) }),
      svg("text", { class: "nz-axis", x: NAME, y: y + 5, text: odds }),
      svg("line", { class: "nz-rail", x1: across(0), x2: WIDE - RIGHT, y1: y, y2: y }),
      ...times.flatMap((time, k) => (time === null ? [] : [
        svg("circle", { class: k ? "nz-ring" : "nz-disc", cx: across(time), cy: y, r: 6 })])),
      svg("text", { class: "nz-axis", x: WIDE - RIGHT + 12, y: y + 5, text: (times[0] ?? times[1])?.toFixed(2) || "" }),
    );
  });
  const key = (both ? "full: the target, ring: the draft; " : "") + "the earlier, the further left";
  picture.append(svg("text", { class: "nz-axis", x: 10, y: height - 8, text: key }));
  return picture;
}
