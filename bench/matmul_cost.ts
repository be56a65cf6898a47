/**
 * `deno task bench:cost`: what matmul's tiles cost, counted, and what four GPUs could make of them. Needs no GPU.
 *
 * @module
 */
import { costOf, reachOf } from "../lib/ops/matmul/cost.ts";
import { TILE_NAMES, TILES } from "../lib/ops/matmul/tiles.ts";
import { partsOf } from "../lib/ops/matmul/variants.ts";
import { GPUS } from "./gpu_figures.ts";
import { digits, percent, table } from "./report.ts";

/** [M, K, N]: a square, the linear layers of a small ViT's tokens, a head's few rows. */
const PRODUCTS = [[2048, 2048, 2048], [3712, 192, 768], [64, 2048, 2048]] as const;

const fixed = TILE_NAMES.map((name) => {
  const c = costOf(TILES[name], { m: 2048, n: 2048, k: 2048, transA: false, transB: true });
  const { invocations, registers, workgroupBytes, intensity, passes } = c;
  const kib = `${digits(workgroupBytes / 1024)} KiB`;
  return [name, `${invocations}`, `${registers}`, kib, digits(intensity), digits(passes)];
});
const head = ["tile", "invocations", "registers", "workgroup memory", "FLOP/byte", "passes"];
console.log(`## Tiles, NT 2048 × 2048 × 2048\n${table(head, fixed)}`);

for (const [m, k, n] of PRODUCTS) {
  const rows = TILE_NAMES.map((name) => {
    const product = { m, n, k, transA: false, transB: true };
    const parts = partsOf(costOf(TILES[name], product).workgroups, k);
    const cost = costOf(TILES[name], product, parts);
    const cells = GPUS.map((gpu) => {
      const { share, occupancy, bound } = reachOf(cost, gpu);
      return `${percent(share)}, ${bound}, ${percent(occupancy)} occupied`;
    });
    return [name, `${cost.workgroups}`, `${parts}`, percent(cost.used), ...cells];
  });
  const head = ["tile", "workgroups", "parts of K", "used", ...GPUS.map(({ name }) => name)];
  console.log(`\n## NT ${m} × ${k} × ${n}, share of peak at most\n${table(head, rows)}`);
}
