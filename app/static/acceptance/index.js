import "../lab.js";
import "../charts.js";
import "../acceptance.js";

export const mount = ({ element, props, watch, server }) => PTPLab.acceptance(element, props, watch, server);
