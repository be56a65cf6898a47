/**
 * Values of a JSON that somebody else has written.
 *
 * @module
 */

/** A value by its path; undefined where there is none. */
export function at(json: unknown, ...path: string[]): unknown {
  let value = json;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** A positive number by its path. */
export function numberAt(json: unknown, ...path: string[]): number | undefined {
  const value = at(json, ...path);
  return typeof value === "number" && value > 0 && Number.isFinite(value) ? value : undefined;
}

/** A positive whole number by its path. */
export function countAt(json: unknown, ...path: string[]): number | undefined {
  const value = numberAt(json, ...path);
  return Number.isInteger(value) ? value : undefined;
}

/** Numbers by their path. */
export function numbersAt(json: unknown, ...path: string[]): number[] | undefined {
  const value = at(json, ...path);
  const isList = Array.isArray(value) && value.length > 0 && value.every(Number.isFinite);
  return isList ? value as number[] : undefined;
}
