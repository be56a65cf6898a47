/**
 * From files to training steps: `deno task bench:data [--pictures 160] [--no-peers] [--json FILE]`.
 *
 * Decoding in workers, the loader from files and from its cache, augmentation after it, and how long steps wait
 * for their pictures; torchvision's ImageFolder and DataLoader do the same work beside it.
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { join } from "node:path";
import { HatchlingError } from "../lib/errors.ts";
import { ensureAdapter } from "../lib/adapter.ts";
import { type Gpu, openGpu } from "../lib/gpu.ts";
import { STEPS } from "./cases.ts";
import { FILE_HEIGHT, FILE_WIDTH, writePhotos } from "./loading/files.ts";
import { decodeRate, nothing, paceOf, training, views } from "./loading/measure.ts";
import { tryOpen } from "./peers/mod.ts";
import { type LoaderJob, openTorchvision, type Torchvision } from "./peers/torchvision.ts";
import { digits, table } from "./report.ts";
import { median } from "./timing.ts";

/** Numbers of workers that decode. */
const WORKERS = [1, 2, 4];

/** Passes behind a median. */
const PASSES = 3;

/** Views whose making is timed, and batches of them. */
const CROPS = [
  { label: "2 × 32 px + 6 × 16 px", globalSize: 32, localSize: 16, locals: 6, steps: 8 },
  { label: "2 × 224 px + 8 × 96 px", globalSize: 224, localSize: 96, locals: 8, steps: 4 },
];

/** Steps of training that are timed. */
const TRAINED = 4;

const BATCH = 16;

interface Options {
  pictures: number;
  peers: boolean;
  json?: string;
}

function pictureCount(text: string): number {
  const least = BATCH * (1 + Math.max(...CROPS.map(({ steps }) => steps)));
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new InvalidArgumentError(`Expected an integer ≥ ${least}.`);
}

const options = new Command("bench:data")
  .description("Times decoding, loading, augmentation and the wait of training steps.")
  .option("--pictures <n>", "JPEG files to make", pictureCount, 160)
  .option("--no-peers", "this project alone")
  .option("--json <file>", "write every figure")
  .parse([...Deno.args], { from: "user" })
  .opts<Options>();

const note = (line: string) => console.error(line);

/** Calls both in turns; medians. */
async function inTurns(
  ours: () => Promise<number>,
  theirs?: () => Promise<number>,
  passes = PASSES,
): Promise<[number, number | undefined]> {
  const [a, b]: number[][] = [[], []];
  for (let i = 0; i < passes; i++) {
    a.push(await ours());
    if (theirs) b.push(await theirs());
  }
  return [median(a), theirs && median(b)];
}

/** Pictures per second of a DataLoader whose workers have started. */
async function peerRate(
  peer: Torchvision | undefined,
  job: LoaderJob,
): Promise<((pictures: number) => Promise<number>) | undefined> {
  const subject = await peer?.prepare(job);
  return subject && (async (pictures) => {
    const runs = Math.max(1, Math.round(pictures / job.batch / subject.per));
    return 1000 * runs * subject.per * job.batch / await subject.run(runs);
  });
}

const against = (mine: number, theirs: number | undefined) =>
  theirs ? [digits(theirs), `${digits(mine / theirs)}×`] : ["-", "-"];

async function main(gpu: Gpu, folder: string, peer: Torchvision | undefined) {
  const { paths, bytes } = await writePhotos(folder, options.pictures);
  const cores = navigator.hardwareConcurrency;
  console.log(
    `${gpu.info.description || gpu.info.vendor}, Deno ${Deno.version.deno}, ${cores} cores; ` +
      (peer ? `torchvision ${peer.version}` : "without torchvision") +
      `\n${paths.length} JPEG files of ${FILE_WIDTH} × ${FILE_HEIGHT} pixels, ` +
      `${digits(bytes / paths.length / 1024)} KiB each; batches of ${BATCH}\n`,
  );
  const figures: Record<string, unknown> = {
    date: new Date().toISOString(),
    adapter: gpu.info.description,
    deno: Deno.version.deno,
    torchvision: peer?.version,
    pictures: paths.length,
    kibibytes: bytes / paths.length / 1024,
  };

  const decoding = [];
  for (const workers of WORKERS) {
    note(`decoding in ${workers} workers`);
    const theirs = await peerRate(peer, { kind: "decode", folder, batch: BATCH, workers });
    const [mine, other] = await inTurns(
      () => decodeRate(paths, workers),
      theirs && (() => theirs(paths.length)),
    );
    decoding.push({ workers, hatchling: mine, torchvision: other });
  }
  console.log(
    "## Decoding, pictures/s\n" + table(
      ["workers", "hatchling", "torchvision", "ratio"],
      decoding.map(({ workers, hatchling, torchvision }) => [
        `${workers}`,
        digits(hatchling),
        ...against(hatchling, torchvision),
      ]),
    ) + "\n",
  );

  const source = { folder, batch: BATCH, workers: cores };
  const loading = [];
  const works = [
    { label: "decoded pictures", crops: undefined, steps: CROPS[0].steps },
    ...CROPS.map(({ label, steps, ...crops }) => ({ label, crops, steps })),
  ];
  for (const { label, crops, steps } of works) {
    note(`loading: ${label}`);
    const job: LoaderJob = crops
      ? { kind: "folder", folder, batch: BATCH, workers: cores, crops }
      : { kind: "decode", folder, batch: BATCH, workers: cores };
    const theirs = await peerRate(peer, job);
    const rate = async (cached: boolean) =>
      (await paceOf(source, cached, steps, crops ? views(gpu, crops) : nothing)).rate;
    const [files, other] = await inTurns(
      () => rate(false),
      theirs && (() => theirs(steps * BATCH)),
      2,
    );
    const [cached] = await inTurns(() => rate(true), undefined, 2);
    loading.push({ label, files, cached, torchvision: other });
  }
  console.log(
    `## Loader with ${cores} workers, pictures/s\n` + table(
      ["", "from files", "torchvision", "ratio", "from the cache", "ratio"],
      loading.map(({ label, files, cached, torchvision }) => [
        label,
        digits(files),
        ...against(files, torchvision),
        digits(cached),
        against(cached, torchvision)[1],
      ]),
    ) + "\n",
  );

  const trained = [];
  for (const name of ["small", "vit-ti"]) {
    note(`training: ${name}`);
    const shape = STEPS[name];
    const of = (cached: boolean) =>
      paceOf({ ...source, batch: shape.batch }, cached, TRAINED, training(gpu, shape));
    trained.push({ name, batch: shape.batch, files: await of(false), cached: await of(true) });
  }
  console.log(
    "## Training steps with augmentation\n" + table(
      ["", "batch", "from files: ms", "waits", "from the cache: ms", "waits"],
      trained.map(({ name, batch, files, cached }) => [
        name,
        `${batch}`,
        ...[files, cached].flatMap((p) => [digits(p.stepMs), `${digits(100 * p.waiting)} %`]),
      ]),
    ),
  );
  if (options.json) {
    const all = { ...figures, decoding, loading, trained };
    await Deno.writeTextFile(options.json, JSON.stringify(all, null, 2) + "\n");
  }
}

const began = performance.now();
const root = await Deno.makeTempDir({ prefix: "hatchling-bench-" });
let status = 0;
try {
  await ensureAdapter({ log: note });
  const gpu = await openGpu();
  Deno.env.set("HATCHLING_CACHE", join(root, "cache")); // leaves no list of these files behind
  const peer = options.peers ? await tryOpen("torchvision", openTorchvision, note) : undefined;
  await main(gpu, join(root, "pictures"), peer);
  await peer?.close();
  gpu.destroy();
  note(`took ${Math.round((performance.now() - began) / 1000)} s`);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  status = 1;
} finally {
  await Deno.remove(root, { recursive: true });
}
Deno.exit(status);
