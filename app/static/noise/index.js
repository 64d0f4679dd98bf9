import "../lab.js";
import "../strip.js";
import "../maps.js";
import "../noise.js";

export const mount = ({ element, props, watch, server, trigger }) =>
  PTPLab.noise(element, props, watch, server, {
    edit: (request) => trigger("edit", request), map: (request) => trigger("draw", request),
  });
