import assert from "node:assert/strict";
import { l2Normalize } from "../../lib/eval/features.ts";
import { knnClassify, voteKnn } from "../../lib/eval/knn.ts";
import { parseSafetensors } from "../../lib/io/safetensors.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import document from "../golden/golden_public/knn_padding.json" with { type: "json" };
import file from "../golden/golden_public/knn_padding.safetensors" with { type: "bytes" };

gpuTest(
  "knnClassify() agrees with PyTorch where unvoted classes fill the top five",
  async (gpu) => {
    const { tensors } = parseSafetensors(file as Uint8Array);
    const rows = (name: string) => {
      const { data, shape } = tensors.get(name)!;
      return { data: data as Float32Array, shape };
    };
    const labels = (name: string) => tensors.get(name)!.data as Int32Array;
    const result = await knnClassify(
      gpu,
      rows("in.train"),
      labels("in.train_labels"),
      rows("in.test"),
      labels("in.test_labels"),
      { k: document.config.k, numClasses: document.config.n_classes, keepVotes: true },
    );
    assert.deepEqual(result.pred, labels("out.pred"));
    assert.deepEqual(result.indices, labels("out.neighbors"));
    assertClose(result.votes!, rows("out.votes").data);
    const { top1, top5, top5_by_padding, top5_ambiguous } = document.expected;
    assert.equal(result.top1, top1);
    assert.equal(result.top5, top5);
    assert.equal(result.top5ByPadding, top5_by_padding);
    assert.equal(result.top5Ambiguous, top5_ambiguous);
  },
);

gpuTest("knnClassify() leaves a row itself out when asked to", async (gpu) => {
  const features = { data: l2Normalize(normals(40 * 3), 3), shape: [40, 3] };
  const labels = Int32Array.from({ length: 40 }, (_, i) => i);
  const own = await knnClassify(gpu, features, labels, features, labels, { k: 1 });
  assert.equal(own.top1, 100);
  const others = await knnClassify(gpu, features, labels, features, labels, {
    k: 1,
    leaveOneOut: true,
  });
  assert.equal(others.top1, 0);
  await assert.rejects(
    knnClassify(gpu, features, labels, features, labels, { k: 40, leaveOneOut: true }),
    /k from 1 to 39/,
  );
  await assert.rejects(
    knnClassify(gpu, features, labels.subarray(1), features, labels, { k: 1 }),
    /40 training labels but found 39/,
  );
});

const neighbors = {
  rows: 2,
  k: 3,
  indices: new Int32Array([0, 1, 2, 3, 2, 0]),
  similarity: new Float32Array([0.9, 0.5, 0.49, 1, 0, -1]),
};

Deno.test("voteKnn() weighs votes by exp(similarity / T)", () => {
  // row 0: class 0 once near, class 1 twice further away
  const train = [0, 1, 1, 2];
  const sharp = voteKnn(neighbors, train, [0, 2], { k: 3, temperature: 0.1 });
  assert.deepEqual([...sharp.pred], [0, 2]);
  assert.equal(sharp.top1, 100);
  const soft = voteKnn(neighbors, train, [0, 2], { k: 3, temperature: 10, keepVotes: true });
  assert.deepEqual([...soft.pred], [1, 2]);
  assert.equal(soft.top1, 50);
  assertClose(soft.votes!, [
    ...[Math.exp(0.09), Math.exp(0.05) + Math.exp(0.049), 0],
    ...[Math.exp(-0.1), Math.exp(0), Math.exp(0.1)],
  ], 1e-7);
  assert.equal(sharp.votes, undefined);
});

Deno.test("voteKnn() counts what only unvoted classes bring into the top five", () => {
  // with k 2 the list has two places; row 0 votes for class 3 twice, then class 0 pads
  const train = [3, 3, 3, 3];
  const result = voteKnn(neighbors, train, [0, 2], { k: 2, numClasses: 4 });
  assert.equal(result.top1, 0);
  assert.equal(result.top5, 50);
  assert.equal(result.top5ByPadding, 1);
  assert.equal(result.top5Ambiguous, 2);
});

Deno.test("voteKnn() uses the nearest ones when k is smaller than what was found", () => {
  assert.deepEqual([...voteKnn(neighbors, [0, 1, 1, 2], [0, 0], { k: 1 }).pred], [0, 2]);
});

Deno.test("voteKnn() throws when labels, k or temperature are out of range", () => {
  const train = [0, 1, 1, 2];
  const vote = (options: Parameters<typeof voteKnn>[3], test = [0, 0]) => () =>
    voteKnn(neighbors, train, test, options);
  assert.throws(vote({ k: 4 }), /k from 1 to 3 neighbours but found 4/);
  assert.throws(vote({ k: 1, temperature: 0 }), /temperature > 0 but found 0/);
  assert.throws(vote({ k: 1, temperature: 1e-3 }), /overflows in row 0: normalise the features/);
  assert.throws(vote({ k: 1, numClasses: 2 }), /labels from 0 to 1 but found 2 in row 3/);
  assert.throws(vote({ k: 1 }, [0, -1]), /test labels from 0 to 2 but found -1 in row 1/);
  assert.throws(vote({ k: 1 }, [0]), /2 test labels but found 1/);
});
