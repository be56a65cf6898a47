/**
 * Compares what a case computed with what it expects, within the limits that tests/golden/README.md
 * gives. What a case expects and nobody computed fails.
 *
 * @module
 */
import type { Case, Noise } from "./case.ts";

/** One comparison: the largest error over its tolerance, so above 1 (or NaN) fails. */
export interface Check {
  /** Tensor or scalar, e.g. "out.grad.norm.bias" or "expected.loss". */
  what: string;
  ratio: number;
  /** The numbers behind a failure. */
  detail?: string;
}

/** What a runner computed. */
export interface Results {
  /** Values by the name of the `out.` tensor without that prefix. */
  tensors?: Map<string, ArrayLike<number>>;
  /** Values by field of the document, nested as there: expected, values, lr, … */
  fields?: Record<string, unknown>;
  /** Comparisons that need a rule of their own; they stand for the tensors and scalars they name. */
  checks?: Check[];
}

type Scalar = number | boolean | string;

/** Relative tolerance and floor of ordinary scalars, and of values that float64 computes. */
const SCALAR = { relative: 2e-5, floor: 2e-8 };
const EXACT_MATH = { relative: 1e-9, floor: 1e-12 };
const EQUAL = { relative: 0, floor: 0 };

/** The document's fields with expectations. */
const FIELDS: Record<string, typeof SCALAR> = {
  expected: SCALAR,
  values: EXACT_MATH,
  lr: EXACT_MATH,
  wd: EXACT_MATH,
  momentum: EXACT_MATH,
  teacher_temp_per_epoch: EXACT_MATH,
  decayed: EQUAL,
  grad_norm_names: EQUAL,
};
/** Counts under `expected`. */
const COUNTS = /^expected\.(step_count|top5_by_padding|top5_ambiguous)\b/;

export function passes({ ratio }: Check): boolean {
  return ratio <= 1;
}

/** Every scalar of a nested value by its path, e.g. "expected.loss.0". */
export function leaves(value: unknown, path: string): [string, Scalar][] {
  if (typeof value !== "object" || value === null) return [[path, value as Scalar]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`));
}

function compareScalar(what: string, expected: Scalar, found: Scalar | undefined): Check {
  if (found === undefined) return { what, ratio: NaN, detail: "not computed" };
  const detail = `expected ${expected} but found ${found}`;
  if (typeof expected !== "number" || typeof found !== "number") {
    return { what, ratio: expected === found ? 0 : Infinity, detail };
  }
  const field = FIELDS[what.split(".", 1)[0]];
  const { relative, floor } = COUNTS.test(what) ? EQUAL : field;
  const error = Math.abs(expected - found);
  const tolerance = Math.max(relative * Math.abs(expected), floor);
  return { what, ratio: error === 0 ? 0 : error / tolerance, detail };
}

/** The thirds of a qkv bias have limits of their own: the true gradient of the keys' third is zero. */
function parts(name: string, length: number): [string, number, number][] {
  if (!name.endsWith("attn.qkv.bias")) return [[name, 0, length]];
  const third = length / 3;
  return ["q", "k", "v"].map((part, i) => [`${name}[${part}]`, i * third, (i + 1) * third]);
}

/** Compares values with expected ones, both max and rms of the difference. */
export function compareFloats(
  what: string,
  expected: ArrayLike<number>,
  found: ArrayLike<number>,
  noise: Noise | undefined,
  begin = 0,
  end = expected.length,
): Check {
  if (!noise) return { what, ratio: NaN, detail: "the case states no tolerance" };
  let max = 0, squares = 0, at = begin;
  for (let i = begin; i < end; i++) {
    const error = Math.abs(found[i] - expected[i]);
    squares += error * error;
    if (error > max || Number.isNaN(error)) max = error, at = i;
    if (Number.isNaN(error)) break;
  }
  const rms = Math.sqrt(squares / Math.max(1, end - begin));
  const ratio = Number.isFinite(squares) ? Math.max(max / noise.tol, rms / noise.tol_rms) : NaN;
  const detail = `max ${max.toExponential(2)} of ${noise.tol.toExponential(2)} at ${at} ` +
    `(expected ${expected[at]}, found ${found[at]}), ` +
    `rms ${rms.toExponential(2)} of ${noise.tol_rms.toExponential(2)}`;
  return { what, ratio, detail };
}

function compareTensor(what: string, testCase: Case, results: Results): Check[] {
  const { dtype, data } = testCase.tensors.get(what)!;
  const found = results.tensors?.get(what.slice("out.".length));
  if (!found) return [{ what, ratio: NaN, detail: "not computed" }];
  const expected = data as ArrayLike<number>;
  if (found.length !== expected.length) {
    const detail = `expected ${expected.length} values but found ${found.length}`;
    return [{ what, ratio: NaN, detail }];
  }
  if (dtype !== "F32") {
    const wrong = Array.prototype.findIndex.call(expected, (x, i) => x !== found[i]);
    if (wrong < 0) return [{ what, ratio: 0 }];
    const detail = `expected ${expected[wrong]} at ${wrong} but found ${found[wrong]}`;
    return [{ what, ratio: Infinity, detail }];
  }
  return parts(what, expected.length).map(([name, begin, end]) =>
    compareFloats(name, expected, found, testCase.doc.noise?.[name], begin, end)
  );
}

/** All comparisons of a case: every `out.` tensor and every expected scalar. */
export function compare(testCase: Case, results: Results): Check[] {
  const checks = [...results.checks ?? []];
  const judged = new Set(checks.map(({ what }) => what));
  for (const what of testCase.tensors.keys()) {
    if (what.startsWith("out.") && !judged.has(what)) {
      checks.push(...compareTensor(what, testCase, results));
    }
  }
  for (const field of Object.keys(FIELDS)) {
    if (!(field in testCase.doc)) continue;
    const found = new Map(leaves(results.fields?.[field], field));
    for (const [what, expected] of leaves(testCase.doc[field], field)) {
      if (!judged.has(what)) checks.push(compareScalar(what, expected, found.get(what)));
    }
  }
  return checks;
}
