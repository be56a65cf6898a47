/**
 * The same emoji in another vendor's drawing, in numbers that PyTorch's side can look up.
 *
 * @module
 */
import type { Side, Sides } from "../../lib/eval/sides.ts";

/** Rows of the first vendor that can be answered, rows of the second, and what each shows. */
export interface Vendors {
  /** The name of the figure. */
  vendors_name: string;
  /** Rows and identities. */
  vendors: { queries: number[]; query_ids: number[]; gallery: number[]; gallery_ids: number[] };
}

/** Nothing where the data set has no two vendors with labels `identity`. */
export function vendorsOf({ gallery, test }: Sides): Vendors | undefined {
  const names = gallery.dataset.labels?.vendor?.names ?? [];
  if (names.length !== 2) return;
  const theirs = rowsOf(gallery, names[1]);
  const numbers = new Map<string, number>();
  for (const { id } of theirs) numbers.set(id, numbers.get(id) ?? numbers.size);
  const ours = rowsOf(test ?? gallery, names[0]).filter(({ id }) => numbers.has(id));
  if (!ours.length) return;
  return {
    vendors_name: names.join(" → "),
    vendors: {
      queries: ours.map(({ row }) => row),
      query_ids: ours.map(({ id }) => numbers.get(id)!),
      gallery: theirs.map(({ row }) => row),
      gallery_ids: theirs.map(({ id }) => numbers.get(id)!),
    },
  };
}

function rowsOf({ dataset: { labels = {} }, encoded: { indices } }: Side, vendor: string) {
  const { vendor: vendors, identity } = labels;
  if (!vendors || !identity) return [];
  return indices.flatMap((image, row) => {
    if (vendors.names[vendors.values[image]] !== vendor) return [];
    return [{ row, id: identity.names[identity.values[image]] }];
  });
}
