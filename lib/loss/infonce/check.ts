/**
 * What InfoNCE accepts.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import { type Gpu, Tensor } from "../../gpu.ts";
import type { Sizes } from "./sizes.ts";

/** Throws where something is not as expected. */
export function expect(ok: boolean, expected: string, found: unknown, remedy: string): void {
  if (ok) return;
  throw new HatchlingError(`infoNce: expected ${expected} but found ${describe(found)}: ${remedy}`);
}

function describe(x: unknown): string {
  if (x instanceof Tensor || typeof x !== "object" || x === null) return `${x}`;
  const name = x.constructor?.name ?? "an object";
  return "length" in x ? `${name} of ${x.length}` : name;
}

const isWhole = (x: unknown, least: number) => Number.isInteger(x) && (x as number) >= least;

/** Refuses names that are no setting. */
export function checkKeys(given: object, keys: readonly string[]): void {
  const unknown = Object.keys(given ?? {}).find((key) => !keys.includes(key));
  expect(
    !!given && unknown === undefined,
    `settings among ${keys.join(", ")}`,
    unknown,
    "look at its spelling",
  );
}

/** Refuses numbers of views that make no pairs. */
export function checkViews(views: unknown, globals: unknown): void {
  expect(
    isWhole(globals, 1),
    "globals to be whole and at least 1",
    globals,
    "give the number of global views, 2 as a rule",
  );
  const least = Math.max(2, globals as number);
  const remedy = "give global plus local views, of which each meets the others";
  expect(
    isWhole(views, least),
    `views to be whole and at least ${least}, since it counts the global views`,
    views,
    remedy,
  );
}

/** Refuses a temperature that is none. */
export function checkTemperature(temperature: unknown): void {
  const t = Math.fround(temperature as number);
  const ok = typeof temperature === "number" && t > 0 && t < Infinity &&
    Math.fround(1 / t) < Infinity;
  const expected =
    "temperature to be a number above 0 that float32 holds with its reciprocal, or { logScale }";
  expect(ok, expected, temperature, "similarities are divided by it; 0.1 is usual");
}

/** B, of queries [V·B, D] and keys [G·B, D] as counts of rows. */
export function batchOf(
  { views, globals }: Omit<Sizes, "batch">,
  queries: { rows: number; found: unknown },
  keys: { rows: number; found: unknown } | undefined,
): number {
  const batch = queries.rows / views;
  const remedy =
    "rows are view-major, all B samples of view 0, then of view 1, …, global views first";
  expect(
    isWhole(batch, 1),
    `queries [${views}·B, D], a row for each of ${views} views and B samples,`,
    queries.found,
    remedy,
  );
  const rows = globals * batch;
  if (keys) {
    expect(
      keys.rows === rows,
      `keys [${globals}·B, D] with ${rows} rows, as wide as queries,`,
      keys.found,
      remedy,
    );
  }
  return batch;
}

/** Refuses what is not a tensor of this GPU, or not of a shape that is described. */
export function checkTensor(
  gpu: Gpu,
  name: string,
  value: unknown,
  shape: string,
  ok: (t: Tensor) => boolean,
): asserts value is Tensor {
  expect(
    value instanceof Tensor && ok(value),
    `${name} to be a tensor ${shape}`,
    value,
    "see the shapes in docs/guides/loss.md",
  );
  const same = (value as Tensor).gpu === gpu;
  expect(
    same,
    `${name} on the GPU that is given`,
    "a tensor of another",
    "open one GPU and make all tensors with it",
  );
}
