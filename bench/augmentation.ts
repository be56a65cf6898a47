/**
 * Multi-crop augmentation of pictures in memory, beside PIL's by torchvision.
 *
 * @module
 */
import { MultiCrop } from "../lib/augmentation.ts";
import { packPictures } from "../lib/data/image.ts";
import { type Gpu, record } from "../lib/gpu.ts";
import { emptyWait, queued, type Subject } from "./contender.ts";
import type { CropSizes, Torchvision } from "./peers/torchvision.ts";
import { photo } from "./photo.ts";
import { digits, table } from "./report.ts";
import { compare, median } from "./timing.ts";

/** A batch of square pictures and its views. */
interface AugmentationCase {
  label: string;
  batch: number;
  side: number;
  crops: CropSizes;
}

const CASES: readonly AugmentationCase[] = [
  {
    label: "16 × (2 × 32 px + 6 × 16 px) of 72 px",
    batch: 16,
    side: 72,
    crops: { globalSize: 32, localSize: 16, locals: 6 },
  },
  {
    label: "8 × (2 × 224 px + 8 × 96 px) of 256 px",
    batch: 8,
    side: 256,
    crops: { globalSize: 224, localSize: 96, locals: 8 },
  },
];

/** What a batch takes. */
export interface AugmentationRow {
  label: string;
  /** Pictures in the batch. */
  batch: number;
  /** Views of a picture. */
  views: number;
  /** Milliseconds, drawing and upload of parameters included. */
  ms: number;
  /** Milliseconds of JavaScript that draws and uploads the parameters, included in `ms`. */
  hostMs: number;
  /** 10⁶ pixels of views per second. */
  megapixels: number;
  /** Milliseconds of torchvision by the number of its worker processes; 0: in one process. */
  torchvision: Record<number, number>;
}

/** Times all cases. */
export async function benchAugmentation(
  gpu: Gpu,
  repeats: number,
  peer?: Torchvision,
): Promise<AugmentationRow[]> {
  const waitMs = await emptyWait(() => gpu.idle());
  const rows: AugmentationRow[] = [];
  for (const one of CASES) {
    const { label, batch, crops: { globalSize, localSize, locals } } = one;
    const pictures = Array.from({ length: batch }, (_, i) => photo(one.side, one.side, i));
    const ours = await prepare(gpu, one, pictures, waitMs);
    await ours.subject.run(1);
    const torchvision: Record<number, number> = {};
    const times: number[] = [];
    const withPeer = async (workers: number) => {
      const subject = await withFile(pictures, (file) => {
        const job = {
          kind: "crops",
          file,
          count: batch,
          width: one.side,
          height: one.side,
        } as const;
        return peer!.prepare({ ...job, batch, workers, crops: one.crops });
      });
      const [mine, theirs] = await compare([ours.subject, subject], repeats);
      times.push(mine.ms);
      torchvision[workers] = theirs.ms;
    };
    if (peer) { for (const workers of new Set([0, peer.cores])) await withPeer(workers); }
    else times.push((await compare([ours.subject], repeats))[0].ms);
    const ms = median(times);
    const pixels = batch * (2 * globalSize ** 2 + locals * localSize ** 2);
    rows.push({
      label,
      batch,
      views: 2 + locals,
      ms,
      hostMs: median(ours.host),
      megapixels: pixels / ms / 1000,
      torchvision,
    });
    ours.subject.destroy();
  }
  return rows;
}

/** Our batch: every run draws other parameters. */
async function prepare(
  gpu: Gpu,
  { batch, crops: { globalSize, localSize, locals } }: AugmentationCase,
  pictures: ReturnType<typeof photo>[],
  waitMs: number,
): Promise<{ subject: Subject; host: number[] }> {
  const options = {
    globalCropSize: globalSize,
    localCropSize: localSize,
    numLocalViews: locals,
  };
  const crops = new MultiCrop(gpu, options, batch);
  const size = pictures.reduce((sum, { width, height }) => sum + width * height, 0);
  const packed = packPictures(pictures, new Uint32Array(size));
  const pixels = gpu.tensor(packed.pixels, [size]);
  const rows = gpu.tensor(packed.table, [batch, 4]);
  const program = await record(gpu, () => crops.forward(pixels, rows));
  const indices = Array.from({ length: batch }, (_, i) => i);
  const host: number[] = [];
  let epoch = 0;
  const once = () => {
    const start = performance.now();
    crops.update({ seed: 0, epoch: epoch++, indices, table: packed.table });
    host.push(performance.now() - start);
    program.run();
  };
  const subject = queued(() => gpu.idle(), waitMs, once, {
    per: 1,
    sample: () => Promise.resolve([]),
    destroy: () => [program, crops, pixels, rows].forEach((x) => x.destroy()),
  });
  return { subject, host };
}

/** Lends the pictures as a file of raw RGB. */
async function withFile<T>(
  pictures: ReturnType<typeof photo>[],
  use: (file: string) => Promise<T>,
): Promise<T> {
  const file = await Deno.makeTempFile({ prefix: "hatchling-bench-" });
  try {
    const raw = pictures.map(({ data }) => data.filter((_, i) => i % 4 < 3));
    await Deno.writeFile(file, new Blob(raw).stream());
    return await use(file);
  } finally {
    await Deno.remove(file);
  }
}

/** The rows as a table: ratios first. */
export function augmentationText(rows: readonly AugmentationRow[]): string {
  const peers = Object.keys(rows[0].torchvision).map(Number);
  const name = (workers: number) =>
    workers ? `torchvision, ${workers} workers` : "torchvision, alone";
  const head = [
    "",
    ...peers.map((workers) => `vs ${name(workers)}`),
    "ms/image",
    "ms/view",
    "Mpixel/s",
    "of it JavaScript",
    ...peers.flatMap((workers) => [`${name(workers)}: ms/image`, "ms/view"]),
  ];
  const body = rows.map(({ label, batch, views, ms, hostMs, megapixels, torchvision }) => {
    const each = (batchMs: number) => [digits(batchMs / batch), digits(batchMs / batch / views)];
    return [
      label,
      ...peers.map((workers) => `${digits(torchvision[workers] / ms)}×`),
      ...each(ms),
      digits(megapixels),
      digits(hostMs / batch),
      ...peers.flatMap((workers) => each(torchvision[workers])),
    ];
  });
  return `## Augmentation\n${table(head, body)}`;
}
