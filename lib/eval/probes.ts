/**
 * Linear probes of one kind of label: by ridge regression and by SGD.
 *
 * @module
 */
import type { Gpu } from "../gpu.ts";
import { takeRows } from "./features.ts";
import { linearProbe } from "./linear_probe.ts";
import { type Add, MAX_EIGENVALUES, type MeasureOptions } from "./measure_options.ts";
import { ridgeProbe } from "./ridge.ts";
import type { Classes, Sides } from "./sides.ts";
import type { LabeledFeatures } from "./standardize.ts";

/** Without a test set, the row of so many that the linear probe by SGD isn't shown. */
const HELD_OUT = 5;

/** Fits both probes to the gallery and measures them on what is judged. */
export async function linearProbes(
  gpu: Gpu,
  sides: Sides,
  { kind, gallery, judged, count }: Classes,
  {
    seed,
    linearEpochs = 100,
    maxEigenvalues = MAX_EIGENVALUES,
    onNote = () => {},
    onMeasure = () => {},
  }: MeasureOptions,
  add: Add,
): Promise<void> {
  const train = { features: sides.gallery.encoded.raw.whole, labels: gallery };
  const test = sides.test && { features: sides.test.encoded.raw.whole, labels: judged };
  const put = (name: string, { top1, top5 }: { top1: number; top5: number }) => {
    add(kind, `${kind} linear probe (${name})`, { percent: top1 });
    if (count > 5) add(kind, `${kind} linear probe top-5 (${name})`, { percent: top5 });
  };
  if (gallery.length < 3) {
    onNote(`${kind}: ${gallery.length} pictures are too few for linear probes`);
    return;
  }
  const [, dim] = train.features.shape;
  if (dim <= maxEigenvalues) {
    onMeasure(`${kind}: linear probe (ridge)`);
    put("ridge", await ridgeProbe(gpu, train, test));
  } else onNote(`no linear probe (ridge) of ${dim} dimensions, ${maxEigenvalues} at most`);
  if (!linearEpochs) return;
  onMeasure(`${kind}: linear probe (SGD)`);
  const [shown, held] = test ? [train, test] : holdOut(train);
  if (!held.labels.length || new Set(Array.from(shown.labels)).size < 2) {
    onNote(`${kind}: too few pictures for a linear probe by SGD`);
    return;
  }
  put(
    "SGD",
    await linearProbe(gpu, shown, held, {
      epochs: linearEpochs,
      seed,
      onProgress: (done, all) => onMeasure(`${kind}: linear probe (SGD), step ${done} of ${all}`),
    }),
  );
}

/** Every fifth row apart. */
function holdOut({ features, labels }: LabeledFeatures): [LabeledFeatures, LabeledFeatures] {
  const rows = Array.from({ length: labels.length }, (_, r) => r);
  const part = (chosen: number[]) => ({
    features: takeRows(features, chosen),
    labels: chosen.map((r) => labels[r]),
  });
  const held = (r: number) => r % HELD_OUT === HELD_OUT - 1;
  return [part(rows.filter((r) => !held(r))), part(rows.filter(held))];
}
