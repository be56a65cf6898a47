/**
 * Cases train_*: several steps end to end, with the recorded step that `train` replays.
 *
 * @module
 */
import { type Gpu, record } from "../../../lib/gpu.ts";
import { type ClipMode, layerDecay, type OptimizerSettings } from "../../../lib/optim.ts";
import { cosineValues, teacherTempValues } from "../../../lib/optim/schedules.ts";
import { LAST_LAYER, Trainer } from "../../../lib/train.ts";
import { type Case, givenFloats, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { metricFields } from "./loss.ts";
import { crops, lossOptions, modelOf, type MultiCropConfig } from "./step.ts";

interface Config extends MultiCropConfig {
  epochs: number;
  iters_per_epoch: number;
  lr: number;
  min_lr: number;
  warmup_epochs: number;
  weight_decay: number;
  weight_decay_end: number;
  momentum_teacher: number;
  warmup_teacher_temp: number;
  warmup_teacher_temp_epochs: number;
  clip_grad: number;
  freeze_last_layer: number;
  clip_mode?: ClipMode;
  layer_decay?: number;
  head_warmup_epochs?: number;
  optimizer?: OptimizerSettings["kind"];
  options?: OptimizerSettings;
}

/** The rates of every step. */
function schedules(c: Config) {
  const length = { epochs: c.epochs, itersPerEpoch: c.iters_per_epoch };
  const cosine = (base: number, final: number, warmupEpochs = 0) =>
    cosineValues({ base, final, warmupEpochs, ...length });
  return {
    lr: cosine(c.lr, c.min_lr, c.warmup_epochs),
    wd: cosine(c.weight_decay, c.weight_decay_end),
    momentum: cosine(c.momentum_teacher, 1),
    teacherTemp: teacherTempValues({
      start: c.warmup_teacher_temp,
      final: c.teacher_temp,
      warmupEpochs: c.warmup_teacher_temp_epochs,
      epochs: c.epochs,
    }),
  };
}

/** Runs all steps; gives metrics, centres and norms of each. */
async function runSteps(gpu: Gpu, trainer: Trainer, { doc, tensors }: Case) {
  const config = doc.config as unknown as Config;
  const rates = schedules(config);
  const views = crops(gpu, tensors);
  const program = await record(gpu, () => trainer.step(views));
  const images = ["global", "local"].map((name) => givenFloats(tensors, name));
  const names = doc.grad_norm_names as string[];
  const metrics: Record<string, number[]> = {};
  const centers: number[] = [], norms: number[] = [];
  try {
    for (let step = 0; step < rates.lr.length; step++) {
      const epoch = Math.floor(step / config.iters_per_epoch);
      views.forEach((view, i) =>
        view.write(images[i].subarray(step * view.size, (step + 1) * view.size))
      );
      trainer.set({
        step,
        teacherTemp: rates.teacherTemp[epoch],
        momentum: rates.momentum[step],
        lr: rates.lr[step],
        weightDecay: rates.wd[step],
        freezeLastLayer: epoch < config.freeze_last_layer,
        holdBackbone: epoch < (config.head_warmup_epochs ?? 0),
      });
      program.run();
      const { outputs } = program;
      const [metric, center, ...chunks] = await gpu.read([
        outputs.metrics,
        trainer.loss!.center,
        ...outputs.norms.map((chunk) => chunk.norms),
      ]);
      for (const [key, value] of Object.entries(metricFields(metric))) {
        (metrics[key] ??= []).push(value);
      }
      centers.push(...center);
      const byName = new Map(
        outputs.norms.flatMap((chunk, i) => chunk.names.map((name, j) => [name, chunks[i][j]])),
      );
      norms.push(...names.map((name) => byName.get(name) ?? NaN));
    }
  } finally {
    for (const part of [program, ...views]) part.destroy();
  }
  return { rates, metrics, centers, norms };
}

/** Everything that the steps leave: weights, moments, counts, and what each step measured. */
export async function runTrain(gpu: Gpu, testCase: Case): Promise<Results> {
  const config = testCase.doc.config as unknown as Config;
  const model = modelOf(config);
  const { optimizer: kind, options, layer_decay: decay = 1 } = config;
  const depth = config.vit.depth as number;
  const trainer = new Trainer(gpu, model, {
    loss: lossOptions(config),
    clip: config.clip_grad,
    clipMode: config.clip_mode,
    optimizer: { ...options, kind, rateScale: layerDecay(decay, depth) } as OptimizerSettings,
  });
  try {
    trainer.load(group(testCase.tensors, "in.student."));
    const { rates, metrics, centers, norms } = await runSteps(gpu, trainer, testCase);
    const moments = await trainer.optimizer.save();
    const groups: [string, Map<string, Float32Array>][] = [
      ["student", await trainer.student.save()],
      ["teacher", await trainer.teacher!.save()],
      ...moments,
    ];
    const trained = trainer.student.all.filter(({ grad }) => grad).map(({ name }) => name);
    const { counts } = trainer.optimizer;
    const stepCount = trained.map((
      name,
    ) => [name, counts[name.startsWith("head.last_layer.") ? LAST_LAYER : 0]]);
    return {
      tensors: new Map<string, ArrayLike<number>>([
        ["center", centers],
        ["grad_norms", norms],
        ...groups.flatMap(([prefix, values]) =>
          [...values].map(([name, value]): [string, Float32Array] => [`${prefix}.${name}`, value])
        ),
      ]),
      fields: {
        expected: { ...metrics, step_count: Object.fromEntries(stepCount) },
        lr: [...rates.lr],
        wd: [...rates.wd],
        momentum: [...rates.momentum],
        teacher_temp_per_epoch: [...rates.teacherTemp],
        grad_norm_names: trained,
      },
    };
  } finally {
    trainer.destroy();
  }
}
