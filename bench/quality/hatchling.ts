/**
 * Hatchling's side.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Encoder } from "../../lib/eval/encoder.ts";
import { featureEncoder } from "../../lib/eval/feature_encoder.ts";
import type { Sides } from "../../lib/eval/sides.ts";
import { type Gpu, record, type Tensor } from "../../lib/gpu.ts";
import { type DinoModel, initialize } from "../../lib/model.ts";
import { Trainer } from "../../lib/train.ts";
import { readoutOf, trainerOptionsOf } from "../../lib/from_config.ts";
import type { Contestant } from "./contestant.ts";

/** What it starts from. */
export interface HatchlingOptions {
  /** Its name in tables. */
  name: string;
  /** The recipe. */
  config: Config;
  /** The model. */
  model: DinoModel;
  /** Seed of the initial weights. */
  seed: number;
  /** Where the crops of every step lie. */
  crops: readonly Tensor[];
  /** Encodes all pictures. */
  encodeWith: (encoder: Encoder) => Promise<Sides>;
}

/** Records a step, as training does it. */
export async function openHatchling(
  gpu: Gpu,
  { name, config, model, seed, crops, encodeWith }: HatchlingOptions,
): Promise<Contestant> {
  const trainer = new Trainer(gpu, model, trainerOptionsOf(config, gpu));
  trainer.load(initialize(model.specs(), seed));
  const program = await record(gpu, () => trainer.step(crops));
  let first = true;
  return {
    name,
    sameStart: seed === config.training.seed,
    async step(values) {
      await gpu.idle();
      const start = performance.now();
      trainer.set(values);
      if (first) await program.runWatched();
      else program.run();
      first = false;
      const { metrics, contrastive: term } = program.outputs;
      const [[loss, teacherEntropy], flag, [contrastive] = []] = await gpu.read([
        ...[metrics, trainer.flag],
        ...term ? [term.loss] : [],
      ]);
      const ms = performance.now() - start;
      if (new Uint32Array(flag.buffer, flag.byteOffset, 1)[0]) {
        throw new HatchlingError(
          `Expected finite numbers but ${name} has met others in step ${values.step}: lower optimizer.lr`,
        );
      }
      return { loss, teacherEntropy, contrastive, ms };
    },
    encode: async () => ({
      sides: await encodeWith(
        featureEncoder(gpu, name, model.backbone, trainer.evaluated, readoutOf(config)),
      ),
    }),
    weights: () => trainer.evaluated.save(),
    close: () => {
      program.destroy();
      trainer.destroy();
      return Promise.resolve();
    },
  };
}
