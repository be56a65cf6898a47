/**
 * Trains a vision transformer with DINO: `deno task train CONFIG [--out DIR] [--resume] [--section.key value …]`.
 *
 * This file is the table of contents of a run; every step of it is a module that other scripts can use.
 *
 * @module
 */
import { Command } from "commander";
import { join } from "node:path";
import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { MultiCrop } from "../lib/augmentation.ts";
import { parseConfig, parseOverrides, stringifyConfig } from "../lib/config.ts";
import { Loader } from "../lib/data/loader.ts";
import { openDataset } from "../lib/data/open.ts";
import { HatchlingError } from "../lib/errors.ts";
import { pixelEncoder, vitEncoder } from "../lib/eval/encode.ts";
import { evaluate, figureTable } from "../lib/eval/evaluate.ts";
import { openGpu, record } from "../lib/gpu/mod.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { readFile } from "../lib/io/files.ts";
import { initialize, Parameters } from "../lib/model/mod.ts";
import { LAST_LAYER, Trainer } from "../lib/train_step.ts";
import { restoreTrainer, saveTrainer, saveWeights } from "./train/checkpoints.ts";
import { clock, Progress } from "./train/progress.ts";
import { checkSameConfig, openMetrics, openRunFolder } from "./train/run_folder.ts";
import { augmentationOf, modelOf, scheduleOf, trainerOptionsOf } from "./train/settings.ts";

/** Longest time in milliseconds that steps are queued without looking at their results. */
const PATIENCE = 1000;

async function main(): Promise<number> {
  // Arguments and configuration.
  const { overrides, rest } = parseOverrides(Deno.args);
  const command = new Command("train")
    .description("Trains a vision transformer with DINO.")
    .argument("<config>", "YAML file, configs/small.yaml for instance")
    .option("--out <dir>", "folder of the run (default: runs/<config>-<time>)")
    .option("--resume", "go on with the newest run of this config, or the one in --out")
    .addHelpText(
      "after",
      "\nAny key of the configuration: --optimizer.lr 1e-3, --data.path DIR (docs/configuration.md)",
    )
    .parse(rest, { from: "user" });
  const [file] = command.args;
  const config = parseConfig(new TextDecoder().decode(await readFile(file)), { file, overrides });
  const { training, logging, checkpoint: saving } = config;
  const run = await openRunFolder(file, command.opts());
  if (run.checkpoint) checkSameConfig(config, run.checkpoint.state.config);
  const text = new TextEncoder();
  await writeFileAtomic(join(run.path, "config.yaml"), text.encode(stringifyConfig(config)));
  const progress = new Progress();

  // Device.
  await ensureAdapter();
  const gpu = await openGpu({ limits: config.device.limits });

  // Data.
  const dataset = await openDataset({
    dataset: config.data.dataset,
    path: config.data.path ?? undefined,
    maxPixels: config.data.max_pixels,
    cacheBytes: config.data.cache_bytes,
    numWorkers: config.data.num_workers,
    onProgress: (done, total) => progress.show(`decoding ${done} of ${total} pictures`),
  });
  const loader = new Loader(dataset, { batchSize: config.data.batch_size, seed: training.seed });
  const total = Math.min(
    training.num_epochs * loader.stepsPerEpoch,
    training.max_steps ?? Infinity,
  );
  progress.end();
  console.error(
    `data: ${dataset.length} pictures from ${dataset.name}, ${loader.stepsPerEpoch} steps an epoch` +
      (dataset.skipped.length ? `; ${dataset.skipped.length} damaged files skipped` : ""),
  );
  let named = 0;
  const nameSkipped = () => {
    for (; named < dataset.skipped.length; named++) {
      const { file, reason } = dataset.skipped[named];
      console.error(`skipped: ${file}: ${reason}`);
    }
  };
  nameSkipped();

  // Model, and everything else that training changes.
  const model = modelOf(config);
  const trainer = new Trainer(gpu, model, trainerOptionsOf(config));
  trainer.load(initialize(model.specs(), training.seed));
  let step = 0;
  if (run.checkpoint) {
    restoreTrainer(trainer, run.checkpoint.state);
    step = run.checkpoint.state.step;
    console.error(`resuming ${run.path} after step ${step}`);
  }
  const valuesOf = scheduleOf(config, loader.stepsPerEpoch);

  // One step, recorded once: crops, both networks, loss, gradients, update.
  const pixels = gpu.persistent([loader.capacityPixels], "pixels");
  const table = gpu.persistent([config.data.batch_size, 4], "table");
  const crops = new MultiCrop(gpu, augmentationOf(config), config.data.batch_size);
  progress.show("recording the training step and compiling its kernels", true);
  const program = await record(gpu, () => trainer.step(crops.forward(pixels, table)));
  progress.end();
  const parameters = trainer.student.all.reduce((sum, p) => sum + p.data.size, 0);
  console.error(
    `model: ${(parameters / 1e6).toFixed(2)} M parameters; a step: ${program.length} dispatches, ` +
      `${(program.flops / 1e9).toFixed(1)} GFLOP, ${
        (gpu.memory.liveBytes / 2 ** 20).toFixed(0)
      } MiB on the GPU`,
  );

  // The loop.
  let signal: "SIGINT" | "SIGTERM" | undefined;
  let trained = false; // and all is saved: a signal then ends the evaluation at once
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      if (signal || trained) Deno.exit(name === "SIGINT" ? 130 : 143);
      signal = name;
      progress.show("stopping after this step; once more stops at once", true);
    });
  }
  const metrics = await openMetrics(run.path, step);
  const save = (step: number) =>
    saveTrainer(run.path, trainer, {
      step,
      epoch: Math.floor(step / loader.stepsPerEpoch),
      config,
    });
  const started = { step, time: performance.now() };
  let synced = performance.now();
  let saved = run.checkpoint ? step : -1;
  while (step < total && !signal) {
    const batch = await loader.batch(step);
    nameSkipped();
    pixels.view([batch.usedPixels]).write(batch.pixels.subarray(0, batch.usedPixels));
    table.write(batch.table);
    crops.update({
      seed: training.seed,
      epoch: batch.epoch,
      indices: batch.indices,
      table: batch.table,
    });
    loader.release(batch);
    const values = valuesOf(step);
    trainer.set(values);
    program.run();
    step++;

    const epochEnds = step % loader.stepsPerEpoch === 0;
    const saves = (saving.save_every_n_iters && step % saving.save_every_n_iters === 0) ||
      (epochEnds && saving.save_every_n_epochs &&
        step / loader.stepsPerEpoch % saving.save_every_n_epochs === 0);
    const logs = step % logging.log_every_n_iters === 0 || step === total;
    if (!logs && !saves && !signal && performance.now() - synced < PATIENCE) continue;

    // Everything the host wants to know, in one read.
    const [figures, flag] = await gpu.read([program.outputs.metrics, trainer.flag]);
    const [bad, culprit] = new Uint32Array(flag.buffer);
    if (bad) {
      const names = program.outputs.norms.flatMap((chunk) => chunk.names);
      await stopAt(bad - 1, culprit > 1 ? `the gradient of ${names[culprit - 2]}` : "the loss");
    }
    synced = performance.now();
    const [loss, entropy, marginal, kl] = figures;
    const k = config.model.projection_output_dim;
    const seconds = (synced - started.time) / 1000;
    const done = step - started.step;
    const imagesPerSecond = done * config.data.batch_size / seconds;
    if (logs) {
      const line = {
        step,
        epoch: values.step / loader.stepsPerEpoch,
        loss,
        loss_over_ln_k: loss / Math.log(k),
        teacher_entropy: entropy,
        teacher_entropy_of_mean: marginal,
        kl_teacher_student: kl,
        lr: values.lr,
        weight_decay: values.weightDecay,
        teacher_momentum: values.momentum,
        teacher_temp: values.teacherTemp,
        images_per_second: imagesPerSecond,
      };
      await metrics.write(text.encode(JSON.stringify(line) + "\n"));
    }
    progress.show(
      `step ${step}/${total} epoch ${(step / loader.stepsPerEpoch).toFixed(2)}  loss ${
        loss.toFixed(4)
      }  ` +
        `loss/ln K ${(loss / Math.log(k)).toFixed(3)}  teacher entropy ${entropy.toFixed(3)}  ` +
        `${imagesPerSecond.toFixed(0)} images/s  ETA ${clock((total - step) * seconds / done)}`,
      step === total,
    );
    if (saves) {
      await save(step);
      saved = step;
    }
  }
  progress.end();
  metrics.close();
  loader.close();
  if (saved !== step) await save(step);
  if (signal) {
    console.error(
      `stopped by ${signal} after step ${step}; go on with --resume${
        command.opts().out ? ` --out ${run.path}` : ""
      }`,
    );
    return signal === "SIGINT" ? 130 : 143;
  }
  await saveWeights(join(run.path, "teacher.safetensors"), trainer.teacher);
  await saveWeights(join(run.path, "student.safetensors"), trainer.student);
  trained = true;

  // What it learned, beside the same model before training and the pixels themselves.
  program.destroy();
  crops.destroy();
  const initial = new Parameters(gpu, model.specs());
  initial.load(initialize(model.specs(), training.seed));
  const figures = await evaluate(gpu, dataset, [
    vitEncoder(gpu, "teacher", model.vit, trainer.teacher),
    vitEncoder(gpu, "random init", model.vit, initial),
    pixelEncoder(),
  ], {
    batchSize: config.evaluation.batch_size,
    seed: training.seed,
    views: config.evaluation.view_retrieval,
    mean: [...config.augmentation.normalize_mean],
    std: [...config.augmentation.normalize_std],
    knnK: config.evaluation.knn_k,
    knnTemperature: config.evaluation.knn_temperature,
    maxImages: config.evaluation.max_images,
    onProgress: (done) =>
      progress.show(
        `evaluating: ${done} of ${config.evaluation.max_images ?? dataset.length} pictures`,
      ),
  });
  progress.end();
  nameSkipped();
  await writeFileAtomic(
    join(run.path, "evaluation.json"),
    text.encode(JSON.stringify(figures, null, 2) + "\n"),
  );
  console.log(figureTable(figures));
  console.log(`\nrun folder: ${run.path}`);
  dataset.close?.();
  gpu.destroy();
  return 0;

  /** The device has kept everything as it was before the bad step: save that, and say what happened. */
  async function stopAt(badStep: number, what: string): Promise<never> {
    trainer.adamw.counts[0] = badStep;
    trainer.adamw.counts[LAST_LAYER] = Math.max(
      0,
      badStep - training.freeze_last_layer * loader.stepsPerEpoch,
    );
    await save(badStep);
    throw new HatchlingError(
      `Expected finite numbers but found NaN or infinity in ${what} at step ${badStep}. Weights, teacher and centre ` +
        `are those from before that step, saved in ${run.path}: lower optimizer.lr or training.gradient_clip, or ` +
        "lengthen scheduler.warmup_epochs",
    );
  }
}

try {
  Deno.exit(await main());
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
