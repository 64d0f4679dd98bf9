// What Python and the browser both know. The server writes core/shared.js from app/shared.py; these are its types.

/** What a status looks like beside its colour, and what it means. */
export const STATUS: Record<string, { glyph: string; says: string }>;

/** The largest files that the lab takes, and what it says of larger ones. */
export const LARGEST: Record<"trace" | "benchmark result", { bytes: number; says: string }>;

/** Digits of a u that a visitor sets. */
export const U_DIGITS: number;

/** The settings that the line of a text page asks with, in its order. */
export const ASKED: string[];

/** The example prompts for each of the lab's models. */
export const EXAMPLES: Record<string, string[]>;

/** The largest seed of a training on the Learn page. */
export const MAX_SEED: number;

/** The lanes of a race: token by token, and in parallel. */
export const BASELINE: "ar";
export const PARALLEL: "ptp";

/** A method's short name, how it works, and how it drafts between calls; null where the call itself drafts. */
export const METHODS: Record<string, { short: string; sentence: string; between: string | null }>;
