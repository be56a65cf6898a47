/**
 * One transformer block of both networks by itself, as a step has it.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { type Gpu, type Program, record } from "../gpu.ts";
import { block } from "../model/block.ts";
import { type DinoModel, type Parameters, transformerOf } from "../model.ts";
import { canPack, rowsIn, spansOf } from "../model/spans.ts";
import type { Trainer } from "../train.ts";

/**
 * Records the teacher's forward pass of the global views, and the student's two passes of all views, of the first
 * block of a model. It fills the gradients of that block, and nothing else.
 *
 * @param frozen The student has a forward pass alone.
 */
export async function blockPass(
  gpu: Gpu,
  { augmentation, data, model: { drop_path_rate }, training }: Config,
  model: DinoModel,
  trainer: Trainer,
  frozen = false,
): Promise<Program<unknown>> {
  const vit = transformerOf(model.backbone, "the time of a block");
  const { dim, patchSize } = vit.config;
  const sequences = (views: number, size: number) => ({
    count: views * data.batch_size,
    tokens: vit.prefix + (size / patchSize) ** 2,
    grid: [size / patchSize, size / patchSize] as const,
  });
  const globals = sequences(augmentation.n_global_crops, augmentation.global_crop_size);
  const locals = sequences(augmentation.num_local_views, augmentation.local_crop_size);
  const all = augmentation.num_local_views ? [globals, locals] : [globals];
  const together = canPack(gpu, spansOf(all), dim, vit.widest);
  const packs = together ? [all] : all.map((one) => [one]);
  const { gradient_accumulation_steps: micros, recompute } = training;
  return await record(gpu, () => {
    const run = (params: Parameters, pack: typeof all, ofStudent: boolean) => {
      const spans = spansOf(pack);
      const x = gpu.persistent([rowsIn(spans), dim], "tokens");
      const ones = (count: number) => gpu.tensor(new Float32Array(count).fill(1));
      const keep = ofStudent && drop_path_rate > 0
        ? pack.map(({ count }) => ({ attn: ones(count), mlp: ones(count) }))
        : undefined;
      const result = block(gpu, x, spans, params, "blocks.0", vit.config, {
        keep,
        rope: vit.ropeTables(gpu, pack.map(({ grid }) => grid)),
        recompute: ofStudent && recompute,
      });
      return ofStudent && !frozen ? result.backward(x) : result.y;
    };
    trainer.student.zeroGrad();
    if (micros > 1) trainer.student.keepGrad();
    if (trainer.teacher) run(trainer.teacher, [globals], false);
    for (const pack of packs) run(trainer.student, pack, true);
  });
}
