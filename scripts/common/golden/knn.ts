/**
 * Cases knn_*: weighted k-nearest-neighbour classification.
 *
 * Neighbours and winners are ranks of real numbers: float32 may swap two that lie closer than its
 * rounding. A swap passes only where the expected numbers themselves are within the case's tolerance.
 *
 * @module
 */
import { knnClassify } from "../../../lib/eval.ts";
import type { Gpu } from "../../../lib/gpu.ts";
import type { RawTensor } from "../../../lib/io/safetensors.ts";
import { type Case, given, givenFloats, givenLabels } from "./case.ts";
import type { Check, Results } from "./compare.ts";

interface Config {
  k: number;
  temperature: number;
  n_classes: number;
}

const EQUAL = { ratio: 0 };

/** Neighbours equal, or, where not, as near as the expected one in float64. */
function checkNeighbors(tensors: Map<string, RawTensor>, found: Int32Array, tol: number): Check {
  const what = "out.neighbors";
  const [train, test] = ["train", "test"].map((name) => given(tensors, name));
  const indices = tensors.get(what)!.data as Int32Array;
  const similarity = tensors.get("out.similarity")!.data as Float32Array;
  const k = tensors.get(what)!.shape[1], dim = train.shape[1];
  let worst: Check = { what, ...EQUAL };
  for (let i = 0; i < indices.length; i++) {
    if (found[i] === indices[i]) continue;
    const row = Math.floor(i / k);
    const twice = found.subarray(row * k, row * k + k).indexOf(found[i]) !== i - row * k;
    let dot = 0;
    for (let d = 0; d < dim; d++) {
      dot += Number(train.data[found[i] * dim + d]) * Number(test.data[row * dim + d]);
    }
    const ratio = twice ? Infinity : Math.abs(dot - similarity[i]) / tol;
    if (ratio > worst.ratio) {
      const detail = `row ${row}: expected neighbour ${indices[i]} but found ${found[i]}`;
      worst = { what, ratio, detail };
    }
  }
  return worst;
}

/** Winners equal, or, where not, with as many expected votes; `unsure` counts rows that may go either way. */
function checkWinners(tensors: Map<string, RawTensor>, found: Int32Array, tol: number) {
  const what = "out.pred";
  const pred = tensors.get(what)!.data as Int32Array;
  const votes = tensors.get("out.votes")!.data as Float32Array;
  const classes = votes.length / pred.length;
  let unsure = 0;
  let check: Check = { what, ...EQUAL };
  pred.forEach((winner, row) => {
    const line = votes.subarray(row * classes, (row + 1) * classes);
    // each of the two votes may be off by the tolerance
    const close = (c: number) => line[winner] - line[c] <= 2 * tol;
    if (line.some((_, c) => c !== winner && close(c))) unsure++;
    if (found[row] !== winner && !close(found[row])) {
      const detail = `row ${row}: expected class ${winner} but found ${found[row]}`;
      check = { what, ratio: Infinity, detail };
    }
  });
  return { check, unsure };
}

/** A percentage, within what rows that may go either way can change. */
function checkPercent(what: string, expected: number, found: number, slack: number): Check {
  const error = Math.abs(expected - found), tolerance = slack + 2e-5 * expected;
  const detail = `expected ${expected} ± ${slack} but found ${found}`;
  return { what, ratio: error === 0 ? 0 : error / tolerance, detail };
}

/** Classifies the test rows. */
export async function runKnn(gpu: Gpu, { doc, tensors }: Case): Promise<Results> {
  const { k, temperature, n_classes: numClasses } = doc.config as unknown as Config;
  const rows = (name: string) => {
    return { data: givenFloats(tensors, name), shape: given(tensors, name).shape };
  };
  const labels = (name: string) => givenLabels(tensors, name);
  const result = await knnClassify(
    gpu,
    rows("train"),
    labels("train_labels"),
    rows("test"),
    labels("test_labels"),
    { k, temperature, numClasses, keepVotes: true },
  );
  const expected = doc.expected as Record<string, number>;
  const noise = doc.noise!;
  const winners = checkWinners(tensors, result.pred, noise["out.votes"].tol);
  const percent = 100 / result.rows;
  return {
    tensors: new Map<string, ArrayLike<number>>([
      ["similarity", result.similarity],
      ["votes", result.votes!],
    ]),
    fields: {
      expected: { top5_by_padding: result.top5ByPadding, top5_ambiguous: result.top5Ambiguous },
    },
    checks: [
      checkNeighbors(tensors, result.indices, noise["out.similarity"].tol),
      winners.check,
      checkPercent("expected.top1", expected.top1, result.top1, percent * winners.unsure),
      checkPercent("expected.top5", expected.top5, result.top5, percent * expected.top5_ambiguous),
    ],
  };
}
