import assert from "node:assert/strict";
import { l2Normalize } from "../../lib/eval/features.ts";
import { firstRanks } from "../../lib/eval/first_ranks.ts";
import { retrieval } from "../../lib/eval/retrieval.ts";
import { gpuTest } from "../support/gpu.ts";
import { matmulF64, normals } from "../support/numbers.ts";

const rows = (n: number, dim: number, seed: number) => ({
  data: l2Normalize(normals(n * dim, seed).map((x) => x + 0.5), dim),
  shape: [n, dim],
});

/** Ranks by sorting similarities in float64. */
function sorted(
  [queries, gallery]: ReturnType<typeof rows>[],
  right: (query: number) => readonly number[],
  exclude: ArrayLike<number> | undefined,
  most: number,
): number[] {
  const [[m, dim], [n]] = [queries.shape, gallery.shape];
  const all = matmulF64(queries.data, gallery.data, [m, dim, n], false, true);
  return Array.from({ length: m }, (_, query) => {
    const line = all.subarray(query * n, (query + 1) * n);
    const order = [...line.keys()].filter((row) => row !== exclude?.[query])
      .sort((a, b) => line[b] - line[a] || a - b);
    const own = right(query), rank = order.findIndex((row) => own.includes(row));
    return rank < 0 ? -1 : Math.min(rank, most);
  });
}

gpuTest("firstRanks() agrees with sorting in float64, in one piece and in many", async (gpu) => {
  for (const [m, n, dim] of [[7, 5, 3], [40, 1400, 9], [120, 120, 20]]) {
    const pair = [rows(m, dim, 1), rows(n, dim, 2)];
    const lists: ((query: number) => number[])[] = [
      (query) => query < n ? [query] : [],
      (query) => [query % 5, 5 + query].filter((row) => row < n),
    ];
    for (const right of lists) {
      const excludes = [undefined, Int32Array.from({ length: m }, (_, q) => q % 3 ? -1 : q % n)];
      for (const exclude of excludes) {
        for (const [most, chunkBytes] of [[5, undefined], [1, 2 ** 14], [2000, undefined]]) {
          const options = { most: most!, exclude, chunkBytes };
          const found = await firstRanks(gpu, pair[0], pair[1], right, options);
          assert.deepEqual([...found], sorted(pair, right, exclude, most!));
        }
      }
    }
  }
});

gpuTest(
  "firstRanks() tells copies apart by their index alone, whatever they are summed with",
  async (gpu) => {
    // 40 rows of which each comes seven times; noise far below what float32 products can tell beside them.
    const base = rows(40, 301, 3), [n, dim] = [280, 301];
    const data = Float32Array.from({ length: n * dim }, (_, i) => base.data[i % base.data.length]);
    const queries = rows(n, dim, 4), gallery = { data, shape: [n, dim] };
    for (let i = 0; i < queries.data.length; i++) {
      queries.data[i] = data[i] + 0.001 * queries.data[i];
    }
    const right = (query: number) => [query];
    const found = await firstRanks(gpu, queries, gallery, right, { most: 10 });
    assert.deepEqual([...found], Array.from({ length: n }, (_, q) => Math.floor(q / 40)));
  },
);

gpuTest("firstRanks() takes rows of zeros, and products beyond float32", async (gpu) => {
  const gallery = { data: Float32Array.of(0, 0, 3e38, 3e38, 1e-30, 0, -3e38, 0), shape: [4, 2] };
  const queries = { data: Float32Array.of(0, 0, 3e38, -2e38, 1e-30, 0), shape: [3, 2] };
  for (const row of [0, 1, 2, 3]) {
    const right = () => [row];
    const found = await firstRanks(gpu, queries, gallery, right, { most: 4 });
    assert.deepEqual([...found], sorted([queries, gallery], right, undefined, 4));
  }
});

gpuTest("retrieval() finds the same by counting and by listing", async (gpu) => {
  const [m, n, dim] = [120, 400, 13];
  const queries = rows(m, dim, 5), gallery = rows(n, dim, 6);
  for (const classes of [10, 60, 250]) { // 40, 7 and 2 right rows each
    const ids = Array.from({ length: n }, (_, i) => i * 7 % classes);
    const right = (query: number) => ids.flatMap((id, row) => id === ids[query] ? [row] : []);
    const exclude = Array.from({ length: m }, (_, i) => i);
    const ranks = sorted([queries, gallery], right, exclude, 5).filter((rank) => rank >= 0);
    const share = (below: number) =>
      100 * ranks.filter((rank) => rank < below).length / ranks.length;
    const found = await retrieval(gpu, queries, ids.slice(0, m), gallery, ids, { exclude });
    assert.deepEqual(found, {
      r1: share(1),
      r5: share(5),
      queries: ranks.length,
      unanswerable: m - ranks.length,
    });
  }
});
