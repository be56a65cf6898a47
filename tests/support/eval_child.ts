/** A rank of tests/eval/share_mpi_test.ts, started by mpirun. Rank 0 prints a line of JSON. */
import { openComm } from "../../lib/comm.ts";
import { DamagedPictureError, type Dataset } from "../../lib/data/dataset.ts";
import { pixelEncoder } from "../../lib/eval/encoder.ts";
import { featureEncoders } from "../../lib/eval/feature_encoder.ts";
import { encodeSides, type Sides } from "../../lib/eval/sides.ts";
import { openGpu } from "../../lib/gpu.ts";
import { initialize, Parameters, VisionTransformer } from "../../lib/model.ts";
import { paint } from "../data/support.ts";

const comm = await openComm({ timeoutMs: 60_000 });
const gpu = await openGpu();
const vit = new VisionTransformer({ imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2 });
const params = new Parameters(gpu, vit.specs());
params.load(initialize(vit.specs(), 1));
const encoders = [
  ...featureEncoders(gpu, vit, params, [
    { name: "class", feature: "class" },
    { name: "grid", feature: "grid" },
  ]),
  pixelEncoder(),
];

/** Pictures, one of them damaged; another is damaged on one rank alone, or cannot be read there at all. */
function dataset(length: number, fail: "" | "unreadable" | "damaged" = ""): Dataset {
  return {
    name: "gradients",
    length,
    largestPixels: 24 * 24,
    picture(i) {
      if (i === 3) throw new DamagedPictureError("3: damaged");
      const bad = comm.rank === 1 && i === length - 12;
      if (bad && fail) {
        throw fail === "damaged" ? new DamagedPictureError("damaged") : new Error("disk on fire");
      }
      return paint(24, 24, (x, y, c) => (x * (i + 2) + y * (c + 1) * 3 + 40 * i) % 256);
    },
    id: String,
    skipped: [],
  };
}

const options = { batchSize: 4, seed: 3, views: true, mean: [0, 0, 0], std: [1, 1, 1] };

/** Sides of 34 pictures and 9 others, or what is wrong. */
async function encode(shared: boolean, fail?: "unreadable" | "damaged"): Promise<Sides[] | string> {
  try {
    return await encodeSides(gpu, dataset(34, fail), encoders, {
      ...options,
      maxImages: null,
      test: dataset(9),
      comm: shared ? comm : undefined,
    });
  } catch (error) {
    return `${error}`;
  }
}

/** All numbers of the features, as a hash. */
async function hash(sides: Sides[] | string): Promise<string> {
  if (typeof sides === "string") return sides;
  const parts = sides.flatMap(({ gallery, test }) =>
    [gallery, test!].flatMap((
      { encoded: { indices, whole, views, raw } },
    ) => [Int32Array.from(indices), whole.data, views?.data, raw.whole.data, raw.views?.data])
  );
  const blob = new Blob(parts.flatMap((part) => part ? [part as BlobPart] : []));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.bytes())).toHex();
}

const outcome = async (sides: Sides[] | string) =>
  typeof sides === "string" || sides.length ? await hash(sides) : "";
const found = {
  shared: await outcome(await encode(true)),
  unreadable: await outcome(await encode(true, "unreadable")),
  damaged: await outcome(await encode(true, "damaged")),
  again: await outcome(await encode(true)),
};
const all = await comm.gather(new TextEncoder().encode(JSON.stringify(found)));
if (comm.rank === 0) {
  const ranks = all.map((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  console.log(JSON.stringify({ alone: await hash(await encode(false)), ranks }));
}
await comm.close();
Deno.exit(0);
