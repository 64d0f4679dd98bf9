import "../lab.js";
import "../strip.js";
import "../export.js";
import "../race.js";

export const mount = ({ element, props, watch, server, trigger }) =>
  PTPLab.race(element, props, watch, server, () => trigger("opened"));
