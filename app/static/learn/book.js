// @ts-check
// The chapters, in their order.
import branches from "./chapters/branches.js";
import costs from "./chapters/costs.js";
import fail from "./chapters/fail.js";
import first from "./chapters/first.js";
import flavours from "./chapters/flavours.js";
import one from "./chapters/one.js";
import pairs from "./chapters/pairs.js";
import roll from "./chapters/roll.js";
import sharpen from "./chapters/sharpen.js";
import trick from "./chapters/trick.js";
import turn from "./chapters/turn.js";
import verify from "./chapters/verify.js";

export const chapters = [trick, one, roll, first, pairs, sharpen, flavours, verify, branches, fail, costs, turn];
