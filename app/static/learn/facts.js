// @ts-check
// Numbers in the words come from recordings and shipped results: {name} stands where one belongs (app/learn/facts.py).

/**
 * The same value with every {name} of its texts filled in; functions stay as they are. An unknown name is an error.
 * @template T
 * @param {T} value
 * @param {Record<string, string>} facts
 * @returns {T}
 */
export function filled(value, facts) {
  if (typeof value === "string")
    return /** @type {any} */ (
      value.replace(/\{(\w+)\}/g, (_, name) => {
        if (!(name in facts)) throw new Error(`The Learn page knows no number named "${name}".`);
        return facts[name];
      })
    );
  if (Array.isArray(value)) return /** @type {any} */ (value.map((part) => filled(part, facts)));
  if (value && typeof value === "object")
    return /** @type {any} */ (
      Object.fromEntries(Object.entries(value).map(([key, part]) => [key, filled(part, facts)]))
    );
  return value;
}
