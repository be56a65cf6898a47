/**
 * The same things in pictures of two vendors: whether one's are found among the other's.
 *
 * @module
 */
import type { Gpu } from "../gpu.ts";
import { takeRows } from "./features.ts";
import type { Add } from "./measure_options.ts";
import { retrieval } from "./retrieval.ts";
import type { Side, Sides } from "./sides.ts";

/** The first vendor's pictures among the second's. */
export async function acrossVendors(
  gpu: Gpu,
  sides: Sides,
  add: Add,
  onNote: (text: string) => void,
): Promise<void> {
  const { vendor, identity } = sides.gallery.dataset.labels ?? {};
  const there = Object.entries({ identity, vendor }).filter(([, is]) => is).map(([name]) => name);
  if (!there.length) return;
  const leaveOut = (why: string) =>
    onNote(
      `${
        there.join(", ")
      }: no figure, ${why}. They say which pictures of two vendors show the same; ` +
        "a label of classes needs another name",
    );
  if (!vendor || !identity) {
    return leaveOut(`as there is no label ${vendor ? "identity" : "vendor"} beside it`);
  }
  if (vendor.names.length !== 2) {
    return leaveOut(`as there are ${vendor.names.length} vendors and two are compared`);
  }
  const of = ({ dataset: { labels }, encoded: { indices, whole } }: Side, name: string) => {
    const v = labels?.vendor?.names.indexOf(name) ?? -1;
    const rows = [...indices.keys()].filter((r) => labels?.vendor?.values[indices[r]] === v);
    const own = labels?.identity;
    const ids = rows.flatMap((r) => own ? own.names[own.values[indices[r]]] : []);
    return { features: takeRows(whole, rows), ids };
  };
  const queries = of(sides.test ?? sides.gallery, vendor.names[0]);
  const gallery = of(sides.gallery, vendor.names[1]);
  const numbers = new Map<string, number>();
  for (const id of gallery.ids) numbers.set(id, numbers.get(id) ?? numbers.size);
  if (!queries.ids.some((id) => numbers.has(id))) {
    return leaveOut(`as none of ${vendor.names[0]} is among those of ${vendor.names[1]}`);
  }
  const { r1, r5 } = await retrieval(
    gpu,
    queries.features,
    queries.ids.map((id) => numbers.get(id) ?? -1),
    gallery.features,
    gallery.ids.map((id) => numbers.get(id)!),
  );
  const name = vendor.names.join(" → ");
  add("vendor", `${name} R@1`, { percent: r1 });
  add("vendor", `${name} R@5`, { percent: r5 });
}
