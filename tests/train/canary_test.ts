/** Canaries: right on a machine that is, and on any other one heard at once, with the kernel's name. */
import assert from "node:assert/strict";
import { defineKernel, type Gpu, openGpu, record } from "../../lib/gpu.ts";
import { Recheck } from "../../lib/gpu/recheck.ts";
import { DinoModel, initialize } from "../../lib/model.ts";
import { layerNorm, matmul, softmax } from "../../lib/ops.ts";
import { StepCanaries } from "../../lib/train/canary.ts";
import { KnownAnswers } from "../../lib/train/canary/known.ts";
import { Trainer } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";

const SHAPE = { dim: 48, headDim: 12 };

/** Runs known answers and reads them, as somebody else sees fit. */
async function ask(
  gpu: Gpu,
  canary: KnownAnswers,
  read: (values: Float32Array[]) => Float32Array[] = (values) => values,
) {
  canary.run();
  return canary.check(read(await gpu.read(canary.outputs)));
}

gpuTest("known answers are right, at every scale", async (gpu) => {
  const canary = await KnownAnswers.record(gpu, SHAPE);
  for (let run = 0; run < 6; run++) assert.equal(await ask(gpu, canary), undefined);
  canary.destroy();
});

gpuTest("known answers tell a wrong number by its op and kernel", async (gpu) => {
  const canary = await KnownAnswers.record(gpu, SHAPE);
  const { length } = canary.outputs;
  const whats = new Set<string>();
  for (let n = 0; n < length; n++) {
    for (const spoil of [(x: number) => x + 1, () => NaN, () => 0]) {
      const fault = await ask(gpu, canary, (values) => {
        const i = values[n].length - 1;
        values[n][i] = spoil(values[n][i]);
        return values;
      });
      assert.ok(fault, `output ${n} is not looked at`);
      assert.match(
        fault.text,
        new RegExp(`number ${canary.outputs[n].size - 1}, where .* is right`),
      );
      whats.add(fault.text.split(":")[0]);
    }
  }
  assert.equal(whats.size, length);
  for (
    const what of [
      "product x · wᵀ (matmul",
      "column sum (column_sum",
      "layer norm (layer_norm",
      "attention (attention",
    ]
  ) {
    assert.ok([...whats].some((text) => text.startsWith(what)), `${what} in ${[...whats]}`);
  }
  canary.destroy();
});

gpuTest("known answers find bytes of an earlier run", async (gpu) => {
  const canary = await KnownAnswers.record(gpu, SHAPE);
  canary.run();
  const old = await gpu.read(canary.outputs);
  for (let n = 0; n < old.length; n++) {
    const fault = await ask(gpu, canary, (values) => values.with(n, old[n]));
    assert.ok(fault, `output ${n} may be old`);
  }
  canary.destroy();
});

gpuTest("known answers find a kernel with a wrong constant", async () => {
  using gpu = await openGpu();
  // A driver that compiles something else than what it was given.
  const make = gpu.device.createShaderModule.bind(gpu.device);
  const faults: string[] = [];
  const spoilt: [RegExp, RegExp, string][] = [
    [/^attention/, /exp\(/, "1.001 * exp("],
    [/^layer_norm/, /params\.eps/, "(params.eps + 0.01)"],
    [/^column_sum/, /\bscale\b \*/, "1.001 * scale *"],
  ];
  for (const [name, what, by] of spoilt) {
    let done = false;
    gpu.device.createShaderModule = (descriptor) => {
      if (!name.test(descriptor.label ?? "") || !what.test(descriptor.code)) {
        return make(descriptor);
      }
      done = true;
      return make({ ...descriptor, code: descriptor.code.replaceAll(new RegExp(what, "g"), by) });
    };
    using other = new (gpu.constructor as typeof Gpu)(gpu.device, gpu.info);
    other.destroy = () => {};
    const canary = await KnownAnswers.record(other, SHAPE);
    const fault = await ask(other, canary);
    if (!done) continue;
    assert.ok(fault, `${name} is not heard`);
    assert.match(fault.kernel, name);
    faults.push(fault.text);
    canary.destroy();
  }
  assert.ok(faults.length >= 2, `only ${faults.length} kernels could be spoilt`);
});

/** Counts up, whatever it runs on: the second time is another. */
const COUNTS = defineKernel(
  "test_counts",
  `struct Params { n: u32 }
  @group(0) @binding(0) var<uniform> params: Params;
  @group(0) @binding(1) var<storage, read_write> x: array<f32>;
  @compute @workgroup_size(1) fn main() { x[params.n] += 1.0; }`,
);

gpuTest("a dispatch that is run twice leaves what one run leaves, also in place", async (gpu) => {
  const x = gpu.tensor(normals(12 * 8, 1), [12, 8]), state = gpu.tensor(normals(5, 2), [5]);
  const program = await record(gpu, () => {
    const y = matmul(gpu, x, x, { transB: true });
    gpu.dispatch(COUNTS, { bindings: { x: state }, params: { n: 3 }, workgroups: [1] });
    return softmax(gpu, y).y;
  });
  const before = await state.read();
  program.run();
  const expected = await gpu.read([program.outputs, state]);
  state.write(before);
  const recheck = await Recheck.of(gpu, program);
  assert.equal(recheck.repeatable.length, recheck.kernels);
  const instead = new Map(
    recheck.repeatable.map(({ index }, i) => [index, () => void recheck.run(i)]),
  );
  assert.equal(await program.runWatched({ instead }), true);
  assert.deepEqual(await gpu.read([program.outputs, state]), expected);
  const hashes = await gpu.read(recheck.repeatable.map((_, i) => recheck.hashes(i)));
  for (const [i, found] of hashes.entries()) {
    assert.ok(Recheck.agree(found), recheck.repeatable[i].kernel);
    found[found.length - 1] = 0;
    assert.ok(!Recheck.agree(found), "any lane counts");
  }
  for (const t of [recheck, program, x, state]) t.destroy();
});

/** A queue that writes other bytes to a buffer between the passes of one submission: as a race would. */
function flaky(gpu: Gpu, label: RegExp, after: number) {
  const create = gpu.device.createCommandEncoder.bind(gpu.device);
  const junk = gpu.tensor(normals(4, 9), [4], "junk");
  let groups = 0;
  gpu.device.createCommandEncoder = (descriptor) => {
    const encoder = create(descriptor), begin = encoder.beginComputePass.bind(encoder);
    const copy = encoder.copyBufferToBuffer.bind(encoder) as (...rest: unknown[]) => void;
    let passes = 0;
    encoder.beginComputePass = (options) => {
      passes++;
      return begin(options);
    };
    // What is put back is not what was there: the second run meets other memory.
    encoder.copyBufferToBuffer = ((...rest: unknown[]) => {
      copy(...rest);
      const to = rest[2] as GPUBuffer;
      if (passes === 1 && label.test(to.label) && ++groups > after) {
        copy(junk.storage.buffer, 0, to, rest[3], 4);
      }
    }) as typeof encoder.copyBufferToBuffer;
    return encoder;
  };
  return junk;
}

function trainerOf(gpu: Gpu) {
  const config = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2 };
  const model = new DinoModel(config, { outDim: 32, hiddenDim: 16, bottleneckDim: 8 });
  const trainer = new Trainer(gpu, model, { loss: { nCrops: 2 }, clip: 3 });
  trainer.load(initialize(model.specs(), 0));
  const crops = gpu.tensor(normals(2 * 4 * 3 * 256, 3), [2 * 4, 3, 16, 16]);
  return { model, trainer, crops };
}

const RATES = {
  teacherTemp: 0.04,
  momentum: 0.9,
  lr: 1e-3,
  weightDecay: 0.04,
  freezeLastLayer: false,
};

gpuTest(
  "canaries within a step change no bit of it, meet every kernel in turn, and keep to their time",
  async (gpu) => {
    const bits: Map<string, Float32Array>[] = [];
    for (const watched of [false, true]) {
      const { model, trainer, crops } = trainerOf(gpu);
      const programs = {
        microStep: await record(gpu, () => trainer.microStep([crops])),
        update: await record(gpu, () => trainer.update()),
      };
      let now = 0;
      const canaries = await StepCanaries.record(gpu, model, programs, () => now);
      for (let step = 0; step < 8; step++) {
        trainer.set({ step, ...RATES });
        trainer.setMicroBatch(0);
        const instead = watched ? canaries.within() : undefined;
        for (const part of ["microStep", "update"] as const) {
          await programs[part].runWatched({ instead: instead?.[part] });
        }
        now += 1e6; // an hour of training a step allows all of them
        if (!watched) continue;
        if (canaries.isDue) canaries.run();
        const outputs = canaries.outputs;
        assert.equal(canaries.check(await gpu.read(outputs)), undefined);
        assert.ok(canaries.sound);
      }
      if (watched) {
        const { known, repeated, kernels: [covered, all], ms } = canaries.counts;
        assert.equal(known, 8);
        assert.equal(covered, all, "kernels of this size can all be run twice");
        assert.ok(repeated >= covered);
        assert.ok(ms > 0 && ms < 0.003 * now);
      }
      bits.push(await trainer.teacher!.save());
      for (const t of [canaries, programs.microStep, programs.update, trainer, crops]) t.destroy();
    }
    assert.deepEqual(bits[1], bits[0]);
  },
);

gpuTest(
  "canaries that are too dear do not run, but answers are known before the first save",
  async (gpu) => {
    const { model, trainer, crops } = trainerOf(gpu);
    const programs = {
      microStep: await record(gpu, () => trainer.microStep([crops])),
      update: await record(gpu, () => trainer.update()),
    };
    let now = 0;
    const canaries = await StepCanaries.record(gpu, model, programs, () => now);
    const { microStep, update } = canaries.within();
    assert.deepEqual([microStep.size, update.size], [0, 0]);
    assert.ok(canaries.isDue);
    canaries.run();
    assert.equal(canaries.check(await gpu.read(canaries.outputs)), undefined);
    assert.ok(canaries.sound);
    assert.ok(!canaries.isDue, "their own time counts");
    now += canaries.counts.ms / 0.003 + 1;
    assert.ok(canaries.isDue);
    for (const t of [canaries, programs.microStep, programs.update, trainer, crops]) t.destroy();
  },
);

gpuTest("a dispatch that writes other bits when it runs again is named", async () => {
  using gpu = await openGpu();
  const x = gpu.tensor(normals(16 * 16, 1), [16, 16]), w = { data: gpu.tensor(normals(16, 2)) };
  const program = await record(gpu, () => {
    const y = layerNorm(gpu, x, w, w).y;
    return { y, z: softmax(gpu, y).y };
  });
  // A kernel in place meets other memory when it runs again.
  const state = gpu.tensor(normals(4, 2), [4], "state");
  const counting = await record(
    gpu,
    () => gpu.dispatch(COUNTS, { bindings: { x: state }, params: { n: 0 }, workgroups: [1] }),
  );
  const junk = flaky(gpu, /state/, 0);
  for (const [one, agrees] of [[program, true], [counting, false]] as const) {
    const recheck = await Recheck.of(gpu, one);
    recheck.repeatable.forEach((_, i) => recheck.run(i));
    const hashes = await gpu.read(recheck.repeatable.map((_, i) => recheck.hashes(i)));
    for (const found of hashes) assert.equal(Recheck.agree(found), agrees);
    recheck.destroy();
  }
  for (const t of [program, counting, x, w.data, state, junk]) t.destroy();
});
