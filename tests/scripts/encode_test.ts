/** scripts/train/encode.ts: what ranks do together for an evaluation. */
import assert from "node:assert/strict";
import type { Comm } from "../../lib/comm.ts";
import { parseConfig } from "../../lib/config.ts";
import { type Dataset, labelsOf } from "../../lib/data/dataset.ts";
import { DeviceError, HatchlingError } from "../../lib/errors.ts";
import { modelOf, trainerOptionsOf } from "../../lib/from_config.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { Trainer } from "../../lib/train.ts";
import {
  encodeRun,
  type Encoding,
  type EncodingRequest,
  Stopped,
} from "../../scripts/train/encode.ts";
import { paint } from "../data/support.ts";
import { commsOf } from "../support/comms.ts";
import { gpuTest } from "../support/gpu.ts";

const CONFIG = parseConfig(`
data: {batch_size: 4}
augmentation: {global_crop_size: 16, local_crop_size: 8}
model: {backbone: custom, patch_size: 8, dim: 16, depth: 1, heads: 2, projection_hidden_dim: 16,
  projection_bottleneck_dim: 8, projection_output_dim: 16}
evaluation: {batch_size: 4, max_images: null}
`);

function dataset(length: number): Dataset {
  return {
    name: "gradients",
    length,
    largestPixels: 24 * 24,
    picture: (i) => paint(24, 24, (x, y, c) => (x * (i + 2) + y * (c + 1) * 3 + 40 * i) % 256),
    id: (i) => `${i}.png`,
    labels: { kind: labelsOf(Array.from({ length }, (_, i) => `${i % 3}`)) },
    skipped: [],
  };
}

/** A run as far as encoding knows it; `test` is what a rank has for a test set. */
function encodingOf(gpu: Gpu, trainer: Trainer, shown: string[], test?: Dataset) {
  const model = modelOf(CONFIG);
  const pictures = { dataset: dataset(22), testOf: () => Promise.resolve(test) };
  const guard: { stop?: { why: string; code: number } } = {};
  const progress = { show: (line: string) => void shown.push(line) };
  const run = { config: CONFIG, gpu, guard, model, pictures, progress, trainer };
  return run as unknown as Encoding & typeof run;
}

function trainerTest(name: string, fn: (gpu: Gpu, trainer: Trainer) => Promise<void>): void {
  gpuTest(name, async (gpu) => {
    using trainer = new Trainer(gpu, modelOf(CONFIG), trainerOptionsOf(CONFIG));
    await fn(gpu, trainer);
  });
}

/** What ranks return or throw; all are in step afterwards. */
function together(
  size: number,
  runOf: (rank: number) => Encoding,
  request: EncodingRequest,
) {
  return Promise.all(
    commsOf(size).map(async (comm: Comm) => {
      const found = await encodeRun(runOf(comm.rank), request, comm).catch((error) => error);
      await comm.barrier();
      return found;
    }),
  );
}

for (const beside of [false, true]) {
  const name = beside ? "the teacher and what is beside it" : "the teacher";
  trainerTest(`ranks encode ${name} as one does`, async (gpu, trainer) => {
    const shown: string[] = [], test = dataset(9), request = { beside, midway: true };
    const expected = await encodeRun(encodingOf(gpu, trainer, [], test), request);
    assert.deepEqual(
      expected.map(({ name, untrained }) => [name, untrained]),
      [["teacher (class)", false], ["random init (class)", true], ["raw pixels", false]].slice(
        0,
        beside ? 3 : 1,
      ),
    );
    const [found, ...others] = await together(
      3,
      (rank) => encodingOf(gpu, trainer, rank ? [] : shown, test),
      request,
    );
    const features = (all: typeof expected) =>
      all.map(({ sides: { gallery, test } }) => [gallery.encoded, test!.encoded]);
    assert.deepEqual(features(found), features(expected));
    assert.deepEqual(others, [[], []]);
    assert.ok(
      shown.includes("evaluating: 22 pictures") && shown.includes("evaluating: 9 pictures"),
    );
  });
}

trainerTest(
  "a run that is asked to stop leaves it on all ranks, but for the end",
  async (gpu, trainer) => {
    const runOf = (rank: number) => {
      const run = encodingOf(gpu, trainer, []);
      if (rank === 0) run.guard.stop = { why: "SIGINT", code: 130 };
      return run;
    };
    const [found, ...others] = await together(2, runOf, { beside: false, midway: true });
    assert.ok(found instanceof Stopped);
    assert.deepEqual(others, [[]]);
    const [end] = await together(2, runOf, { beside: false, midway: false });
    assert.equal(end.length, 1);
  },
);

trainerTest(
  "rank 0 tells what is wrong on any rank, and all stay in step",
  async (gpu, trainer) => {
    const request = { beside: true, midway: true };
    const tests = await together(
      2,
      (rank) => encodingOf(gpu, trainer, [], rank ? undefined : dataset(9)),
      request,
    );
    assert.match(`${tests[0]}`, /^HatchlingError: Encoding: expected the same on all ranks/);
    assert.deepEqual(tests[1], []);
    const failing = (error: Error) => (rank: number) => {
      const run = encodingOf(gpu, trainer, []);
      if (rank) run.pictures.dataset.picture = () => Promise.reject(error);
      return run;
    };
    const found = await together(2, failing(new HatchlingError("disk on fire")), request);
    assert.equal(`${found[0]}`, "HatchlingError: rank 1: disk on fire");
    assert.deepEqual(found[1], []);
    const lost = await together(2, failing(new DeviceError("lost")), request);
    assert.equal(`${lost[0]}`, "HatchlingError: rank 1: lost");
    assert.ok(lost[1] instanceof DeviceError, "its own device is its own trouble");
  },
);
