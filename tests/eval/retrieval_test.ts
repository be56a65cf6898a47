import assert from "node:assert/strict";
import { l2Normalize } from "../../lib/eval/features.ts";
import { retrieval, viewRetrieval } from "../../lib/eval/retrieval.ts";
import { gpuTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";

/** Unit vectors at these angles in degrees. */
const at = (...degrees: number[]) => ({
  data: Float32Array.from(degrees.flatMap((d) => [
    Math.cos(d * Math.PI / 180),
    Math.sin(d * Math.PI / 180),
  ])),
  shape: [degrees.length, 2],
});

gpuTest("retrieval() counts right identities among one and five", async (gpu) => {
  const gallery = at(0, 10, 20, 30, 40, 50);
  const ids = [1, 2, 3, 4, 5, 5];
  // nearest: 1 (right), 1 (3 is third), 5 then …, identity 9 is not there
  const recall = await retrieval(gpu, at(1, 1, 60, 5), [1, 3, 1, 9], gallery, ids);
  assert.deepEqual(recall, { r1: 100 / 3, r5: 200 / 3, queries: 3, unanswerable: 1 });
});

gpuTest("retrieval() within one set passes over the query itself", async (gpu) => {
  const set = at(0, 1, 90, 91, 180);
  const ids = [1, 1, 2, 2, 3];
  const recall = await retrieval(gpu, set, ids, set, ids, { exclude: [0, 1, 2, 3, 4] });
  assert.deepEqual(recall, { r1: 100, r5: 100, queries: 4, unanswerable: 1 });
});

gpuTest("retrieval() throws when identities do not fit", async (gpu) => {
  const set = at(0, 1);
  await assert.rejects(retrieval(gpu, set, [1], set, [1, 2]), /2 query identities but found 1/);
  await assert.rejects(retrieval(gpu, set, [1, 1], set, [2, 2]), /share identities but found none/);
});

gpuTest("viewRetrieval() expects each view's own picture", async (gpu) => {
  assert.deepEqual(await viewRetrieval(gpu, at(1, 89, 1), at(0, 90, 45)), {
    r1: 200 / 3,
    r5: 100,
    queries: 3,
    unanswerable: 0,
  });
  await assert.rejects(viewRetrieval(gpu, at(0), at(0, 1)), /one view per gallery row, 2, but fo/);
  const data = l2Normalize(normals(300 * 16), 16);
  const features = { data, shape: [300, 16] };
  assert.equal((await viewRetrieval(gpu, features, features)).r1, 100);
});
