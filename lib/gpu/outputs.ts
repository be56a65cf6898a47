/**
 * What functions that make tensors return.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Tensor } from "./tensor.ts";

/** Refuses what an async function returns: all that follows its first await would be missed. */
export function checkSync(who: string, value: unknown): void {
  if (!(value instanceof Promise)) return;
  value.catch(() => {});
  throw new HatchlingError(
    `${who}: expected a function that is not async but found a promise: await outside of it`,
  );
}

/** All tensors in a value: itself, or inside arrays, maps and plain objects. */
export function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (value instanceof Map) return [...value.values()].flatMap(tensorsIn);
  if (value && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.values(value).flatMap(tensorsIn);
  }
  return [];
}
