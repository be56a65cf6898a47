/**
 * What the temporaries of a step are for.
 *
 * @module
 */
import type { Storage } from "../gpu/tensor.ts";
import type { NamedBytes, Temporary } from "./watched.ts";

/**
 * Bytes by purpose, at the moment when most of them live at once; what sharing whole buffers costs besides is a
 * kind of its own, so that all of them add up to `slotBytes`.
 *
 * @param temporaries Those of the recorded micro-batch.
 * @param views Memory of the views.
 * @param slotBytes What the temporaries take, planned.
 */
export function kindsOfTemporaries(
  temporaries: ReadonlyMap<Storage, Temporary>,
  views: ReadonlySet<Storage>,
  slotBytes: number,
): NamedBytes[] {
  const all = [...temporaries];
  const lossAt = lossOf(all);
  const kindOf = ([storage, t]: [Storage, Temporary]) => {
    if (views.has(storage)) return "views";
    if (isLogits(t)) return "logits, and the weights they are made with";
    return t.first < lossAt && t.last > lossAt
      ? "activations kept for the backward pass"
      : "working memory at the peak";
  };
  const moment = peakOf(all.map(([, t]) => t));
  const kinds = new Map<string, number>();
  let live = 0;
  for (const entry of all) {
    const { first, last, bytes } = entry[1];
    if (first > moment || last < moment) continue;
    const kind = kindOf(entry);
    kinds.set(kind, (kinds.get(kind) ?? 0) + bytes);
    live += bytes;
  }
  kinds.set("room left in shared buffers", Math.max(0, slotBytes - live));
  return [...kinds].map(([what, bytes]) => ({ what, bytes }));
}

/** Bytes of the activations that live from the forward pass to the backward pass. */
export function keptBytes(
  temporaries: ReadonlyMap<Storage, Temporary>,
  views: ReadonlySet<Storage>,
): number {
  const all = [...temporaries];
  const lossAt = lossOf(all);
  return all.filter(([storage, t]) =>
    !views.has(storage) && !isLogits(t) && t.first < lossAt && t.last > lossAt
  ).reduce((sum, [, { bytes }]) => sum + bytes, 0);
}

/** The dispatch at which the first logits are made. */
function lossOf(all: readonly [Storage, Temporary][]): number {
  return Math.min(...all.map(([, t]) => isLogits(t) ? t.first : Infinity));
}

/** Of the last layer: logits, their gradient, and the normalised weights of both networks. */
const isLogits = ({ label }: Temporary) =>
  /^(student|teacher)_(logits|weight)$|^logits\.grad$/.test(label);

/** The dispatch at which most bytes live. */
function peakOf(temporaries: readonly Temporary[]): number {
  const end = Math.max(0, ...temporaries.map(({ last }) => last)) + 2;
  const change = new Float64Array(end);
  for (const { first, last, bytes } of temporaries) {
    change[first] += bytes;
    change[last + 1] -= bytes;
  }
  let [most, at, live] = [-1, 0, 0];
  change.forEach((bytes, i) => {
    live += bytes;
    if (live > most) [most, at] = [live, i];
  });
  return at;
}
