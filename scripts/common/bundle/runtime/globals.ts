/**
 * What the library takes for granted and Node lacks: `Deno` where there is a disk, workers, and some of ES2024.
 *
 * @module
 */
import { denoOfNode } from "./deno.ts";
import { NodeWorker } from "./worker.ts";

// Pure calls: a page that uses none of it has none of it.
const given = /* @__PURE__ */ (() => (globalThis as { Deno?: unknown }).Deno ?? denoOfNode)();
export { given as Deno };

const WorkerHere = /* @__PURE__ */ (() => globalThis.Worker ?? NodeWorker)();
export { WorkerHere as Worker };

/** `Map.groupBy`. */
export function groupBy<T, K>(items: Iterable<T>, of: (item: T, i: number) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  let i = 0;
  for (const item of items) {
    const key = of(item, i++), group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** `Promise.withResolvers`. */
export function withResolvers<T>() {
  let resolve!: (value: T) => void, reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => [resolve, reject] = [yes, no]);
  return { promise, resolve, reject };
}

/** `Array.fromAsync`. */
export async function arrayFromAsync<T, R>(
  items: AsyncIterable<T>,
  of: (item: T) => R,
): Promise<Awaited<R>[]> {
  const all: Awaited<R>[] = [];
  for await (const item of items) all.push(await of(item));
  return all;
}
