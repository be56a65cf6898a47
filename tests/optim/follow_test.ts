import assert from "node:assert/strict";
import { emaUpdate } from "../../lib/ema.ts";
import { AdamW, clipFactors, type Optimizer, type OptimizerOptions, Sgd } from "../../lib/optim.ts";
import type { Gpu } from "../../lib/gpu.ts";
import type { Parameters } from "../../lib/model.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertPaddingZero, chunked, randomValues } from "../support/parameters.ts";

type Kind = (gpu: Gpu, params: Parameters, options: OptimizerOptions) => Optimizer;
const KINDS: Record<string, Kind> = {
  AdamW: (gpu, params, options) => new AdamW(gpu, params, options),
  "Adam with L2": (gpu, params, options) =>
    new AdamW(gpu, params, { ...options, decoupled: false }),
  SGD: (gpu, params, options) => new Sgd(gpu, params, options),
};
const LAST = 1;
const group = (name: string) => name.startsWith("head.last_layer.") ? LAST : 0;

for (const [kind, make] of Object.entries(KINDS)) {
  gpuTest(
    `${kind}: a teacher that follows in one pass has the bits of one that follows after`,
    async (gpu) => {
      const [one, two] = [0, 1].map(() => {
        const [student, teacher] = [chunked(gpu, true), chunked(gpu)];
        student.load(randomValues(1));
        teacher.load(randomValues(2));
        return { student, teacher, optimizer: make(gpu, student, { group }) };
      });
      const momenta = gpu.persistent([2]);
      for (const [step, momentum] of [0.996, 0, 0.5, 1, 0.999999].entries()) {
        const rates = {
          ...{ lr: 0.01, weightDecay: 0.1 },
          frozen: step % 2 ? [LAST] : [],
          held: step === 2 ? [0] : [],
        };
        momenta.write(Float32Array.of(momentum, 1 - momentum));
        for (const { student, optimizer } of [one, two]) {
          for (const [name, grad] of randomValues(3 + step)) student.get(name).grad?.write(grad);
          optimizer.set({ ...rates, momentum });
          if (step === 3) optimizer.flag.write(Uint32Array.of(4, 0, 0));
          if (step === 4) optimizer.flag.write(Uint32Array.of(0, 0, 0));
        }
        gpu.scope(() => {
          one.optimizer.step(clipFactors(gpu, one.student, 3), one.teacher);
          two.optimizer.step(clipFactors(gpu, two.student, 3));
          const index = { table: momenta, index: 0 };
          emaUpdate(gpu, two.teacher, two.student, index, two.optimizer.flag);
        });
        const state = async ({ student, teacher, optimizer }: typeof one) => [
          ...[await student.save(), await teacher.save()],
          ...(await optimizer.save()).values(),
        ];
        assert.deepEqual(await state(one), await state(two), `step ${step}`);
      }
      await assertPaddingZero(gpu, one.teacher, one.teacher.data, "teacher");
      for (const { student, teacher, optimizer } of [one, two]) {
        for (const part of [student, teacher, optimizer]) part.destroy();
      }
      momenta.destroy();
    },
  );
}
