/** Evaluations that ranks share, which are those of one rank. */
import assert from "node:assert/strict";
import type { Comm } from "../../lib/comm.ts";
import { DamagedPictureError, type Dataset, labelsOf } from "../../lib/data/dataset.ts";
import { encodePictures } from "../../lib/eval/encode.ts";
import { type Encoder, pixelEncoder } from "../../lib/eval/encoder.ts";
import { evaluate } from "../../lib/eval/evaluate.ts";
import { featureEncoders } from "../../lib/eval/feature_encoder.ts";
import { encodeSides } from "../../lib/eval/sides.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { initialize, Parameters, VisionTransformer } from "../../lib/model.ts";
import { paint } from "../data/support.ts";
import { commsOf } from "../support/comms.ts";
import { gpuTest } from "../support/gpu.ts";

const OPTIONS = {
  batchSize: 4,
  seed: 3,
  views: true,
  mean: [0.5, 0.4, 0.3],
  std: [0.3, 0.3, 0.3],
  maxImages: null,
};

/** Pictures, some of which turn out to be damaged; as files do, the set lists these when they are decoded. */
function dataset(length: number, damaged: readonly number[] = [], name = "gradients"): Dataset {
  const skipped: Dataset["skipped"] = [];
  return {
    name,
    length,
    largestPixels: 40 * 40,
    picture(i) {
      if (damaged.includes(i)) {
        if (!skipped.some(({ file }) => file === `${i}`)) {
          skipped.push({ file: `${i}`, reason: "damaged" });
        }
        throw new DamagedPictureError(`${i}: damaged`);
      }
      return paint(
        20 + i % 17,
        40 - i % 13,
        (x, y, c) => (x * (i + 2) + y * (c + 1) * 3 + 40 * i) % 256,
      );
    },
    id: (i) => `${i}.png`,
    labels: { kind: labelsOf(Array.from({ length }, (_, i) => `${i % 3}`)) },
    skipped,
  };
}

const VIT = new VisionTransformer({ imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2 });

/** A model read out in two ways, and pixels. */
function encodersOf(gpu: Gpu, params: Parameters): Encoder[] {
  const readouts = [{ name: "class", feature: "class" }, {
    name: "grid",
    feature: "grid",
  }] as const;
  return [...featureEncoders(gpu, VIT, params, readouts), pixelEncoder()];
}

function vitTest(name: string, fn: (gpu: Gpu, encoders: Encoder[]) => Promise<void>): void {
  gpuTest(name, async (gpu) => {
    const params = new Parameters(gpu, VIT.specs());
    params.load(initialize(VIT.specs(), 1));
    try {
      await fn(gpu, encodersOf(gpu, params));
    } finally {
      params.destroy();
    }
  });
}

/** Runs ranks of one process: their GPU is one, so they take turns where work awaits. */
function together<T>(size: number, rank: (comm: Comm) => Promise<T>): Promise<T[]> {
  return Promise.all(commsOf(size).map(rank));
}

/** Ranks with more and fewer batches and a short last one; one whose pictures are all damaged; one without any. */
const CASES: [length: number, ranks: number, damaged: number[]][] = [
  [22, 2, [0, 9, 21]],
  [22, 3, [6, 7, 8, 9, 10, 11, 12, 13]],
  [5, 3, []],
];

vitTest("ranks encode what one encodes, to the bit, whatever is damaged", async (gpu, encoders) => {
  for (const [length, size, damaged] of CASES) {
    const indices = Array.from({ length }, (_, i) => length - 1 - i);
    const alone = dataset(length, damaged);
    const expected = await encodePictures(gpu, alone, indices, encoders, OPTIONS);
    const sets = Array.from({ length: size }, () => dataset(length, damaged));
    const asked = sets.map((set) => {
      const all: number[] = [], { picture } = set;
      set.picture = (i) => (all.push(i), picture(i));
      return all;
    });
    const progress: number[] = [];
    const [found, ...others] = await together(
      size,
      (comm) =>
        encodePictures(gpu, sets[comm.rank], indices, encoders, {
          ...OPTIONS,
          comm,
          onProgress: (done) => {
            assert.equal(comm.rank, 0);
            progress.push(done);
          },
        }),
    );
    assert.deepEqual(found, expected);
    assert.deepEqual(others.flat(), []);
    assert.equal(progress.at(-1), length);
    assert.deepEqual(progress, progress.toSorted((a, b) => a - b));
    // Each picture by one rank; those that others find damaged rank 0 looks at as well, and so they are named.
    const share = indices.slice(0, 4 * Math.ceil(Math.ceil(length / 4) / size));
    const own = asked.map((all, r) => r ? all : all.filter((i) => share.includes(i)));
    assert.deepEqual(own.flat(), indices);
    assert.deepEqual(
      new Set(sets[0].skipped.map(({ file }) => file)),
      new Set(damaged.map(String)),
    );
  }
});

vitTest("figures of ranks are those of one, of both sides", async (gpu, encoders) => {
  const run = (comm?: Comm) =>
    evaluate(gpu, dataset(22, [3]), encoders, {
      ...OPTIONS,
      ...{ comm, test: dataset(9, [8], "test"), maxImages: 18, knnK: [3], knnTemperature: 0.07 },
    });
  const expected = await run();
  const [found, ...others] = await together(3, run);
  assert.ok(found.some(({ metric }) => metric === "view retrieval R@1"));
  assert.deepEqual(found, expected);
  assert.deepEqual(others, [[], []]);
});

vitTest("who binds less decides how many pictures a batch has", async (gpu, encoders) => {
  const indices = Array.from({ length: 20 }, (_, i) => i), data = dataset(20);
  const expected = await encodePictures(gpu, data, indices, encoders, { ...OPTIONS, batchSize: 3 });
  const [found] = await together(2, (comm) =>
    encodePictures(gpu, data, indices, encoders, {
      ...OPTIONS,
      ...{ comm, batchSize: comm.rank ? 3 : 8 },
    }));
  assert.deepEqual(found, expected);
});

vitTest("ranks that are asked for different things all say so", async (gpu, encoders) => {
  const found = await together(
    2,
    (comm) =>
      encodePictures(gpu, dataset(20), comm.rank ? [1, 2] : [1, 2, 3], encoders, {
        ...OPTIONS,
        comm,
      })
        .catch(String),
  );
  const text =
    "HatchlingError: Encoding: expected the same on all ranks but found 3 pictures by 3 encoders, with " +
    "views on rank 0 and 2 pictures by 3 encoders, with views on rank 1: give all of them the same configuration, " +
    "pictures and test set";
  assert.deepEqual(found, [text, text]);
});

vitTest(
  "whichever rank fails, none waits for it: all throw, and are in step",
  async (gpu, encoders) => {
    const attempt = async (comm: Comm, fail: number, at: number, damage = false) => {
      const data = dataset(40), test = dataset(12, [], "test"), { picture } = data;
      if (comm.rank === fail) {
        data.picture = (i) => {
          if (i !== at) return picture(i);
          throw damage ? new DamagedPictureError("x") : new Error("disk on fire");
        };
      }
      const said = await encodeSides(gpu, data, encoders, { ...OPTIONS, comm, test }).catch(String);
      await comm.barrier();
      return said;
    };
    const rank1 = "HatchlingError: rank 1: disk on fire", own = "Error: disk on fire";
    assert.deepEqual(await together(3, (comm) => attempt(comm, 1, 22)), [rank1, own, rank1]);
    const rank0 = "HatchlingError: rank 0: disk on fire";
    assert.deepEqual(await together(3, (comm) => attempt(comm, 0, 5)), [own, rank0, rank0]);
    const sound =
      "Encoding: expected 22.png to be damaged, as another rank found it, but it is sound on rank 0: " +
      "give all ranks the same files";
    assert.deepEqual(await together(2, (comm) => attempt(comm, 1, 22, true)), [
      `HatchlingError: ${sound}`,
      `HatchlingError: rank 0: ${sound}`,
    ]);
  },
);

vitTest("features that are not finite, and none, end it on all ranks", async (gpu, encoders) => {
  const broken: Encoder = {
    ...pixelEncoder(),
    encode: (images) =>
      gpu.tensor(new Float32Array(2 * images.shape[0]).fill(NaN), [images.shape[0], 2]),
  };
  const run = (data: Dataset, encoder: Encoder) =>
    together(2, async (comm) => {
      const options = { ...OPTIONS, comm, test: dataset(9, [], "test") };
      const said = await encodeSides(gpu, data, [encoder], options).catch(String);
      await comm.barrier();
      return said;
    });
  const nan = await run(dataset(12), broken);
  for (const said of nan) {
    assert.match(`${said}`, /Expected finite features but found NaN in row 0/);
  }
  const none = await run(dataset(3, [0, 1, 2]), encoders[2]);
  for (const said of none) assert.match(`${said}`, /found none among the 3 asked for in gradients/);
});

vitTest("rank 0 that is asked to stop ends it everywhere within a batch", async (gpu, encoders) => {
  class Stopped extends Error {}
  for (const at of [8, 40]) { // after the first batches, and after the last ones, before the test set
    const asked: number[] = [];
    const found = await together(2, async (comm) => {
      const data = dataset(40), { picture } = data;
      data.picture = (i) => (asked.push(i), picture(i));
      const said = await encodeSides(gpu, data, encoders, {
        ...OPTIONS,
        comm,
        test: dataset(40, [], "test"),
        onProgress: (done) => {
          if (done === at) throw new Stopped("asked to stop");
        },
      }).catch((error) => error);
      await comm.barrier();
      return said;
    });
    assert.ok(found[0] instanceof Stopped);
    assert.equal(`${found[1]}`, "HatchlingError: rank 0: asked to stop");
    assert.equal(asked.length, at === 8 ? 12 : 40); // the other rank was at its next batch
  }
});
