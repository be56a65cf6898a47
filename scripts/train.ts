/**
 * Trains a vision transformer with DINO: `deno task train CONFIG [--out DIR] [--resume] [--section.key value …]`.
 *
 * This file is the table of contents of a run; every step of it is a module that other scripts can use.
 *
 * @module
 */
import { join } from "node:path";
import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { stringifyConfig } from "../lib/config.ts";
import { HatchlingError } from "../lib/errors.ts";
import { openGpu, record } from "../lib/gpu/mod.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { initialize } from "../lib/model/mod.ts";
import { Trainer } from "../lib/train_step.ts";
import { readArguments } from "./train/arguments.ts";
import { restoreTrainer, saveTrainer, saveWeights } from "./train/checkpoints.ts";
import { Feed } from "./train/feed.ts";
import { judge } from "./train/judge.ts";
import { chooseKernels } from "./train/kernels.ts";
import { look } from "./train/look.ts";
import { openPictures } from "./train/pictures.ts";
import { clock, Progress } from "./train/progress.ts";
import { checkSameConfig, openRunFolder } from "./train/run_folder.ts";
import { costText, diagnosisSettingsOf, RunLog } from "./train/run_log.ts";
import { modelOf, scheduleOf, trainerOptionsOf } from "./train/settings.ts";
import { stopAt } from "./train/stop.ts";

/** Longest time in milliseconds that steps are queued without looking at their results. */
const PATIENCE = 1000;

async function main(): Promise<number> {
  // Arguments and configuration.
  const args = await readArguments(Deno.args);
  const { config } = args;
  const { data, training, logging, checkpoint: saving } = config;
  const run = await openRunFolder(args.file, args);
  if (run.checkpoint) checkSameConfig(config, run.checkpoint.state.config);
  const yaml = new TextEncoder().encode(stringifyConfig(config));
  await writeFileAtomic(join(run.path, "config.yaml"), yaml);
  const progress = new Progress();

  // Device.
  await ensureAdapter();
  const gpu = await openGpu({ limits: config.device.limits });
  const { checkpoint } = run;
  const measure = config.device.tune;
  const kernels = await chooseKernels(gpu, run.path, { checkpoint, measure, progress });

  // Data.
  const { dataset, loader, nameSkipped } = await openPictures(config, run.path, progress);
  const { stepsPerEpoch } = loader;
  const total = Math.min(training.num_epochs * stepsPerEpoch, training.max_steps ?? Infinity);

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
  const valuesOf = scheduleOf(config, stepsPerEpoch);

  // One step, recorded once: crops, both networks, loss, gradients, update.
  const feed = new Feed(gpu, loader, config);
  progress.show("recording the training step and compiling its kernels", true);
  const program = await record(gpu, () => trainer.step(feed.views()));
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
  const log = await RunLog.open(run.path, step, diagnosisSettingsOf(config, total), progress);
  const save = (step: number) =>
    saveTrainer(run.path, trainer, {
      step,
      epoch: Math.floor(step / stepsPerEpoch),
      config,
      kernels,
    });
  const started = { step, time: performance.now() };
  let synced = performance.now();
  let spreadTime = 0;
  let saved = run.checkpoint ? step : -1;
  while (step < total && !signal) {
    await feed.step(step);
    nameSkipped();
    const values = valuesOf(step);
    trainer.set(values);
    if (step > started.step) program.run();
    else {
      await program.runFirst((done, kernels) =>
        progress.show(`first step: ${done} of ${kernels} kernels compiled`, done === kernels)
      );
      progress.end();
    }
    step++;

    const epochEnds = step % stepsPerEpoch === 0;
    const saves = (saving.save_every_n_iters && step % saving.save_every_n_iters === 0) ||
      (epochEnds && saving.save_every_n_epochs &&
        step / stepsPerEpoch % saving.save_every_n_epochs === 0);
    const logs = step % logging.log_every_n_iters === 0 || step === total;
    if (!logs && !saves && !signal && performance.now() - synced < PATIENCE) continue;

    // Everything the host wants to know, in one read.
    const { figures, spread, nonFinite, ...took } = await look(
      gpu,
      trainer,
      program.outputs,
      logs,
    );
    spreadTime += took.spreadTime;
    if (nonFinite) {
      await stopAt(gpu, nonFinite.step, nonFinite.what, {
        folder: run.path,
        model,
        trainer,
        frozenSteps: training.freeze_last_layer * stepsPerEpoch,
        lr: valuesOf(nonFinite.step).lr,
        log,
        save,
        cropsOf: async (step) => {
          await feed.step(step);
          return gpu.scope(() => feed.views());
        },
        seed: training.seed,
      });
    }
    synced = performance.now();
    const seconds = (synced - started.time) / 1000;
    const done = step - started.step;
    const imagesPerSecond = done * data.batch_size / seconds;
    const { loss, loss_over_ln_k: share, teacher_entropy: entropy } = figures;
    progress.show(
      `step ${step}/${total} epoch ${(step / stepsPerEpoch).toFixed(2)}  ` +
        `loss ${loss.toFixed(4)}  loss/ln K ${share.toFixed(3)}  ` +
        `teacher entropy ${entropy.toFixed(3)}  ` +
        `${imagesPerSecond.toFixed(0)} images/s  ETA ${clock((total - step) * seconds / done)}`,
      step === total,
    );
    if (logs) {
      await log.write({
        step,
        epoch: values.step / stepsPerEpoch,
        ...figures,
        lr: values.lr,
        weight_decay: values.weightDecay,
        teacher_momentum: values.momentum,
        teacher_temp: values.teacherTemp,
        images_per_second: imagesPerSecond,
        ...feed.times(),
        ...spread,
      });
    }
    if (saves) {
      await save(step);
      saved = step;
    }
  }
  progress.end();
  log.close();
  console.error(costText(spreadTime + log.time, (performance.now() - started.time) / 1000));
  loader.close();
  if (saved !== step) await save(step);
  if (signal) {
    console.error(
      `stopped by ${signal} after step ${step}; go on with --resume${
        args.out ? ` --out ${run.path}` : ""
      }`,
    );
    return signal === "SIGINT" ? 130 : 143;
  }
  await saveWeights(join(run.path, "teacher.safetensors"), trainer.teacher);
  await saveWeights(join(run.path, "student.safetensors"), trainer.student);
  trained = true;

  // What it learned, beside the same model before training and the pixels themselves.
  program.destroy();
  feed.destroy();
  await judge(gpu, {
    config,
    dataset,
    model,
    teacher: trainer.teacher,
    folder: run.path,
    progress,
  });
  nameSkipped();
  console.log(`\nrun folder: ${run.path}`);
  dataset.close?.();
  gpu.destroy();
  return 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
