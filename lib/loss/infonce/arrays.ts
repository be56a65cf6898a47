/**
 * InfoNCE of plain arrays.
 *
 * @module
 */
import { type Gpu, openGpu } from "../../gpu.ts";
import { INFONCE_DEFAULTS } from "../defaults.ts";
import { infoNce } from "../infonce.ts";
import { checkFinite } from "../shapes.ts";
import { batchOf, checkKeys, checkTemperature, checkViews, expect } from "./check.ts";

/**
 * What {@linkcode infoNceLoss} takes.
 *
 * @category Loss
 */
export interface InfoNceInput {
  /** [V·B, D], rows of length 1: all B samples of view 0, then of view 1, …; global views first. */
  queries: Float32Array;
  /** D. */
  dim: number;
  /** Views V per sample, global ones included; at least 2. */
  views: number;
  /** Global views G, whose rows are the keys; 2 by default. */
  globals?: number;
  /** [G·B, D], a momentum teacher's rows, which get no gradient; by default the queries' own. */
  keys?: Float32Array;
  /** τ, 0.1 by default; or `{ logScale }`, ln(1/τ) where τ is learned, which counts as ln 100 above that. */
  temperature?: number | { readonly logScale: number };
  /** The GPU to use; by default one is opened, and freed at the end. */
  gpu?: Gpu;
}

/**
 * What {@linkcode infoNceLoss} resolves to.
 *
 * @category Loss
 */
export interface InfoNceValues {
  /** In nats; ln B where all rows are alike. */
  loss: number;
  /** Share of the queries whose positive is the nearest key, of equally near ones the first. */
  accuracy: number;
  /** [G, V], the loss per pair of key view and query view; 0 for a view with itself. */
  pairLoss: Float32Array;
  /** [V·B, D], the gradient of the loss. */
  gradQueries: Float32Array;
  /** The gradient of the loss with respect to `logScale`, where that is given. */
  gradLogScale?: number;
}

/**
 * {@linkcode infoNce} for plain arrays, which are copied at once.
 *
 * @throws {HatchlingError} When a setting is out of range, a length does not fit the numbers of views, or a number
 * is not finite.
 *
 * @example
 * ```ts
 * import { infoNceLoss } from "@hatchling/hatchling/loss";
 *
 * const queries = Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1); // two views of two samples
 * const { loss, accuracy } = await infoNceLoss({ queries, dim: 2, views: 2, temperature: 0.5 });
 * console.log(loss, accuracy); // ln(1 + exp(−2)), 1
 * ```
 *
 * @category Loss
 */
export async function infoNceLoss(input: InfoNceInput): Promise<InfoNceValues> {
  checkKeys(input, ["queries", "dim", "views", "globals", "keys", "temperature", "gpu"]);
  const { dim, views, globals = INFONCE_DEFAULTS.globals, gpu: given } = input;
  const { temperature = INFONCE_DEFAULTS.temperature } = input;
  check(input, temperature, globals);
  const [queries, keys] = [input.queries, input.keys].map((rows) => rows?.slice());
  const gpu = given ?? await openGpu();
  try {
    const made = gpu.scope(() => {
      const tensor = (rows: Float32Array) => gpu.tensor(rows, [rows.length / dim, dim]);
      const learned = typeof temperature === "number" ? undefined : {
        data: gpu.tensor(Float32Array.of(temperature.logScale)),
        grad: gpu.persistent([1]),
      };
      const result = infoNce(gpu, tensor(queries!), {
        views,
        globals,
        keys: keys && tensor(keys),
        temperature: learned ? { logScale: learned } : temperature as number,
      });
      return { ...result, ...learned ? { slope: learned.grad } : {} };
    });
    try {
      const { loss, accuracy, pairLoss, gradQueries, slope } = made;
      const all = [loss, accuracy, pairLoss, gradQueries, ...slope ? [slope] : []];
      const [[l], [a], pairs, q, s] = await gpu.read(all);
      const values = { loss: l, accuracy: a, pairLoss: pairs, gradQueries: q };
      return s ? { ...values, gradLogScale: s[0] } : values;
    } finally {
      for (const tensor of Object.values(made)) tensor?.destroy();
    }
  } finally {
    if (!given) gpu.destroy();
  }
}

function check(
  { queries, keys, dim, views }: InfoNceInput,
  temperature: NonNullable<InfoNceInput["temperature"]>,
  globals: number,
): void {
  checkViews(views, globals);
  const whole = Number.isInteger(dim) && dim >= 1;
  expect(whole, "dim to be whole and at least 1", dim, "give the width of a row");
  for (const [name, rows] of [["queries", queries], ["keys", keys ?? queries]] as const) {
    const remedy = "give rows one after the other, in float32";
    expect(rows instanceof Float32Array, `${name} to be a Float32Array`, rows, remedy);
  }
  const rowsOf = (found: Float32Array) => ({ rows: found.length / dim, found });
  const batch = batchOf({ views, globals }, rowsOf(queries), keys && rowsOf(keys));
  checkFinite("queries", queries, dim, batch, "infoNce");
  if (keys) checkFinite("keys", keys, dim, batch, "infoNce");
  if (typeof temperature === "object" && temperature) {
    const { logScale } = temperature;
    const finite = typeof logScale === "number" && Number.isFinite(Math.fround(logScale));
    expect(
      finite,
      "temperature.logScale to be a finite number",
      logScale,
      "it is ln(1/τ), ln 10 for τ 0.1",
    );
  } else checkTemperature(temperature);
}
