/**
 * Multi-crop augmentation: no peer has it on the adapter, so it stands beside the adapter's limits alone.
 *
 * @module
 */
import { MultiCrop } from "../lib/augmentation.ts";
import { type Gpu, record } from "../lib/gpu/mod.ts";
import { emptyWait, queued } from "./contender.ts";
import { compare, median } from "./timing.ts";
import { digits, table } from "./report.ts";

const CASES = [
  { label: "16 × (2 × 32 px + 6 × 16 px) of 72 px", batch: 16, side: 72, sizes: [32, 16] },
  { label: "8 × (2 × 224 px + 8 × 96 px) of 256 px", batch: 8, side: 256, sizes: [224, 96] },
];

/** What one batch takes. */
export interface AugmentationRow {
  label: string;
  /** Milliseconds on the adapter. */
  ms: number;
  /** Milliseconds of JavaScript that draws the parameters. */
  hostMs: number;
  /** Views per second on the adapter. */
  viewsPerSecond: number;
  /** 10⁶ pixels of views per second. */
  megapixels: number;
}

/** Times all cases. */
export async function benchAugmentation(gpu: Gpu, repeats: number): Promise<AugmentationRow[]> {
  const waitMs = await emptyWait(() => gpu.idle());
  const rows: AugmentationRow[] = [];
  for (const { label, batch, side, sizes: [globalCropSize, localCropSize] } of CASES) {
    const numLocalViews = globalCropSize === 32 ? 6 : 8;
    const crops = new MultiCrop(gpu, { globalCropSize, localCropSize, numLocalViews }, batch);
    const size = side * side;
    const table = Uint32Array.from(
      { length: 4 * batch },
      (_, i) => [(i >> 2) * size, side, side, 0][i % 4],
    );
    const pixels = Uint32Array.from({ length: batch * size }, (_, i) => Math.imul(i, 0x9e3779b1));
    const [pixelTensor, tableTensor] = [
      gpu.tensor(pixels, [batch * size]),
      gpu.tensor(table, [batch, 4]),
    ];
    const program = await record(gpu, () => crops.forward(pixelTensor, tableTensor));
    const host: number[] = [];
    for (let epoch = 0; epoch < 10; epoch++) {
      const start = performance.now();
      crops.update({ seed: 0, epoch, indices: Array.from({ length: batch }, (_, i) => i), table });
      host.push(performance.now() - start);
    }
    const subject = queued(() => gpu.idle(), waitMs, () => program.run(), {
      per: 1,
      sample: () => Promise.resolve([]),
      destroy: () => program.destroy(),
    });
    await subject.run(1);
    const [{ ms }] = await compare([subject], repeats);
    const views = (2 + numLocalViews) * batch;
    const pixelsMade = batch * (2 * globalCropSize ** 2 + numLocalViews * localCropSize ** 2);
    rows.push({
      label,
      ms,
      hostMs: median(host),
      viewsPerSecond: 1000 * views / ms,
      megapixels: pixelsMade / ms / 1000,
    });
    for (const x of [subject, crops, pixelTensor, tableTensor]) x.destroy();
  }
  return rows;
}

/** The rows as a table. */
export function augmentationText(rows: readonly AugmentationRow[]): string {
  const head = ["", "ms", "views/s", "Mpixel/s", "JavaScript ms"];
  const body = rows.map((row) => [
    row.label,
    digits(row.ms),
    digits(row.viewsPerSecond),
    digits(row.megapixels),
    digits(row.hostMs),
  ]);
  return `## Augmentation\n${table(head, body)}`;
}
