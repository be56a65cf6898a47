/**
 * Features as files that any program reads: .npy beside .csv.
 *
 * @module
 */
import type { FeatureArray } from "../../lib/eval/features.ts";
import type { Side, Sides } from "../../lib/eval/sides.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { encodeNpy } from "../../lib/io/npy.ts";
import { shown } from "../../lib/text.ts";
import type { OutputFile } from "../common/outputs.ts";
import { isOwnPair, npyRows } from "../common/own_tables.ts";
import { csvLine } from "../../lib/io/csv.ts";

/** Refuses a name that companions cannot be derived from. */
export function checkFeaturesPath(path: string): void {
  if (!path.endsWith(".npy")) {
    throw new HatchlingError(
      `Expected a name that ends with .npy after --features but found ${shown(path)}`,
    );
  }
}

/** What the tables of names begin with. */
const FIRST_COLUMNS = ["index", "id"];

function stemOf(path: string): string {
  return path.replace(/\.npy$/, "");
}

/**
 * The files that {@linkcode writeFeatures} may write.
 *
 * @param test Whether there is a test set.
 */
export function featuresOutputs(path: string, test: boolean): OutputFile[] {
  const stem = stemOf(path), columns = FIRST_COLUMNS.join();
  const pairs = ["", ...test ? [".test"] : []].map((name) => {
    return { npy: `${stem}${name}.npy`, csv: `${stem}${name}.csv`, columns };
  });
  const views = `${stem}.views.npy`;
  return [
    ...pairs.flatMap((pair) => {
      return [pair.npy, pair.csv].map((path) => ({ path, own: () => isOwnPair(pair) }));
    }),
    { path: views, own: () => isOwnPair(pairs[0]) && npyRows(views) !== undefined },
  ];
}

/** Beside F.npy, that of another feature: F.grid.npy. */
export function besidePath(path: string, feature: string): string {
  return path.replace(/\.npy$/, `.${feature}.npy`);
}

/**
 * Writes features as the encoder gave them (neither centred nor normalised), float32 [n, D]: F.npy with F.csv
 * (index, id, labels of each row), F.test.npy with F.test.csv where there is a test set, and F.views.npy, of a
 * random view of each picture that is judged. Of those the .csv also has the k-means clusters.
 *
 * @returns The files.
 */
export async function writeFeatures(
  path: string,
  sides: Sides,
  clusters: Map<string, Int32Array>,
): Promise<string[]> {
  const stem = stemOf(path);
  const files: string[] = [];
  const write = async (name: string, bytes: Uint8Array<ArrayBuffer>) => {
    await writeFileAtomic(name, bytes);
    files.push(name);
  };
  const npy = ({ data, shape }: FeatureArray) => encodeNpy(data, shape);
  for (const [name, side] of [["", sides.gallery], [".test", sides.test]] as const) {
    if (!side) continue;
    const judged = side === (sides.test ?? sides.gallery);
    const table = csv(side, judged ? clusters : new Map());
    await write(`${stem}${name}.csv`, new TextEncoder().encode(table)); // first: see isOwnPair
    await write(`${stem}${name}.npy`, npy(side.encoded.raw.whole));
    const { views } = side.encoded.raw;
    if (judged && views) await write(`${stem}.views.npy`, npy(views));
  }
  return files;
}

function csv({ dataset, encoded }: Side, clusters: Map<string, Int32Array>): string {
  const labels = Object.entries(dataset.labels ?? {});
  const rows = encoded.indices.map((i, row) => [
    String(i),
    dataset.id(i),
    ...labels.map(([, { values, names }]) => names[values[i]]),
    ...[...clusters.values()].map((of) => String(of[row])),
  ]);
  const head = [
    ...FIRST_COLUMNS,
    ...labels.map(([kind]) => kind),
    ...[...clusters.keys()].map((kind) => `k-means ${kind}`),
  ];
  return [head, ...rows].map(csvLine).join("");
}
