/**
 * Trains a vision transformer with DINO: `deno task train CONFIG [--out DIR] [--resume] [--section.key value …]`.
 *
 * This file is the table of contents of a run; every step of it is a module that other scripts can use.
 *
 * @module
 */
import { join } from "node:path";
import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { type Config, stringifyConfig } from "../lib/config.ts";
import { DeviceError, HatchlingError } from "../lib/errors.ts";
import { type Gpu, openGpu } from "../lib/gpu/mod.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { Trainer } from "../lib/train.ts";
import { Panel } from "./dashboard/panel.ts";
import { checkFits } from "./plan/fit.ts";
import { type Arguments, readArguments } from "./train/arguments.ts";
import { type RunExtra, saveWeights } from "./train/checkpoints.ts";
import { Feed } from "./train/feed.ts";
import { Guard } from "./train/guard.ts";
import { judge, judgeTeacher } from "./train/judge.ts";
import { chooseKernels } from "./train/kernels.ts";
import { look } from "./train/look.ts";
import { heal } from "./train/heal.ts";
import { examine } from "./train/non_finite.ts";
import { loaderOf, openPictures, type Pictures } from "./train/pictures.ts";
import { clock, Progress } from "./train/progress.ts";
import {
  checkSameConfig,
  newestCheckpoint,
  openRunFolder,
  type RunFolder,
} from "./train/run_folder.ts";
import { costText, diagnosisSettingsOf, RunLog } from "./train/run_log.ts";
import { codeVersion, recordPart } from "./train/run_record.ts";
import { Saver } from "./train/saver.ts";
import { modelOf, scheduleOf, trainerOptionsOf } from "./train/settings.ts";
import { settle } from "./train/settle.ts";
import { Snapshots } from "./train/snapshots.ts";
import { startState } from "./train/start.ts";
import { Stepper } from "./train/stepper.ts";
import { withReport } from "./train/with_report.ts";

/** Longest time in milliseconds that steps are queued without looking at their results. */
const PATIENCE = 1000;

/** What outlives a device. */
interface Run {
  args: Arguments;
  config: Config;
  folder: RunFolder;
  guard: Guard;
  panel: Panel;
  progress: Progress;
  pictures: Pictures;
}

async function main(): Promise<number> {
  // Arguments; the folder of the run, the watch over it, pictures.
  const args = await readArguments(Deno.args);
  const folder = await openRunFolder(args.file, args);
  const before = folder.checkpoint?.state.config;
  const progress = new Progress();
  await ensureAdapter();
  const guard = await Guard.start(args.config.device.watchdog_seconds, folder.path);
  const panel = await Panel.open(args.dashboard, { folder: folder.path, guard, progress });
  const pictures = await openPictures(args.config, folder.path, progress);

  // The run. Trouble with the device costs it the steps since the last checkpoint, and happens once in a place.
  let config: Config | undefined;
  for (let trouble = -1;;) {
    const gpu = await openGpu({ limits: args.config.device.limits });
    try {
      if (!config) {
        config = await settle(args, { gpu, dataset: pictures.dataset, before, progress });
        if (before) checkSameConfig(config, before, args.extend);
        const yaml = new TextEncoder().encode(stringifyConfig(config));
        await writeFileAtomic(join(folder.path, "config.yaml"), yaml);
      }
      const run = train(gpu, { args, config, folder, guard, panel, progress, pictures });
      return await withReport(panel.until(run), { folder: folder.path, guard, progress });
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      guard.rest();
      progress.end();
      folder.checkpoint = await newestCheckpoint(folder.path);
      const step = folder.checkpoint?.step ?? 0;
      if (step <= trouble) throw error;
      trouble = step;
      console.error(`error: ${error.message}\nGoing on after step ${step} with a new device.`);
    } finally {
      gpu.destroy();
    }
  }
}

async function train(
  gpu: Gpu,
  { args, config, folder, guard, panel, progress, pictures }: Run,
): Promise<number> {
  const { data, training, logging, evaluation } = config;
  const { dataset, fingerprint, nameSkipped } = pictures;
  await checkFits(gpu, config, dataset);
  const loader = loaderOf(dataset, config);
  const { stepsPerEpoch } = loader;
  const total = Math.min(training.num_epochs * stepsPerEpoch, training.max_steps ?? Infinity);
  const { path, checkpoint } = folder;
  const kernels = await chooseKernels(gpu, path, {
    checkpoint,
    measure: config.device.tune,
    progress,
  });

  // Model, and everything else that training changes.
  const model = modelOf(config);
  const trainer = new Trainer(gpu, model, trainerOptionsOf(config));
  const extra: RunExtra = {
    kernels,
    code: await codeVersion(),
    data: fingerprint,
    skippedSteps: [],
  };
  let step = await startState(trainer, model, { checkpoint, args, extra });
  const valuesOf = scheduleOf(config, stepsPerEpoch);
  await recordPart(path, { step, gpu, code: extra.code, dataset, fingerprint });

  // One step, recorded once: crops, both networks, loss, gradients, update.
  const feed = new Feed(gpu, { loader, dataset }, config);
  progress.show("recording the training step and compiling its kernels", true);
  const stepper = await Stepper.record(gpu, trainer, feed);
  progress.end();
  console.error(stepper.describe());
  const { teacher } = trainer;
  const judged = { config, dataset, model, teacher, folder: path, progress };
  const stopped = () => !!guard.stop;
  const snapshots = await Snapshots.open(gpu, step, { ...judged, total, stepsPerEpoch, stopped });

  // The loop.
  const settings = diagnosisSettingsOf(config, total);
  let log = await RunLog.open(path, step, settings, progress, logging);
  const saver = new Saver(path, trainer, {
    config,
    stepsPerEpoch,
    extra,
    progress,
    last: checkpoint ? step : -1,
  });
  const goOn = () => {
    guard.beat();
    return !guard.stop;
  };
  const started = { step, time: performance.now() };
  let synced = { step, time: performance.now() };
  let spreadTime = 0;
  while (step < total && !guard.stop) {
    if (extra.skippedSteps.includes(step)) {
      step++;
      continue;
    }
    const values = valuesOf(step);
    const whole = await stepper.run(values, goOn, progress);
    if (whole) step++; // otherwise asked to stop: the step has changed nothing
    nameSkipped();

    const epoch = step % stepsPerEpoch === 0 ? step / stepsPerEpoch : undefined;
    const judges = epoch !== undefined && step < total && evaluation.every_n_epochs !== null &&
      epoch % evaluation.every_n_epochs === 0;
    const saves = saver.due(step);
    const logs = step % logging.log_every_n_iters === 0 || step === total;
    const watches = snapshots.due(step);
    const due = logs || saves || judges || watches || guard.stop;
    if (step === synced.step || !due && performance.now() - synced.time < PATIENCE) continue;

    // Everything the host wants to know, in one read.
    const { figures, spread, nonFinite, ...took } = await look(gpu, trainer, stepper.outputs, logs);
    guard.beat();
    spreadTime += took.spreadTime;
    const now = performance.now();
    stepper.tookSeconds((now - synced.time) / 1000 / (step - synced.step));
    synced = { step, time: now };
    if (nonFinite) {
      const bad = await examine(gpu, nonFinite.step, nonFinite.what, {
        folder: path,
        model,
        trainer,
        outputs: stepper.outputs,
        feed,
        seed: training.seed,
        progress,
      });
      step = await heal(bad, {
        trainer,
        saver,
        log,
        folder: path,
        config,
        lr: valuesOf(bad.step).lr,
        extra,
        stepsPerEpoch,
        progress,
      });
      log.close();
      log = await RunLog.open(path, step, settings, progress, logging);
      synced = { step, time: performance.now() };
      continue;
    }
    if (!whole) continue;
    const seconds = (now - started.time) / 1000;
    const done = step - started.step;
    const imagesPerSecond = done * data.batch_size * feed.accumulationSteps / seconds;
    const eta = (total - step) * seconds / done;
    const { loss, loss_over_ln_k: share, teacher_entropy: entropy } = figures;
    progress.show(
      `step ${step}/${total} epoch ${(step / stepsPerEpoch).toFixed(2)}  ` +
        `loss ${loss.toFixed(4)}  loss/ln K ${share.toFixed(3)}  ` +
        `teacher entropy ${entropy.toFixed(3)}  ` +
        `${imagesPerSecond.toFixed(0)} images/s  ETA ${clock(eta)}`,
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
        gpu_bytes: gpu.memory.liveBytes,
        process_bytes: Deno.memoryUsage().rss,
        ...spread,
      });
    }
    if (judges) {
      guard.rest();
      await judgeTeacher(gpu, judged, { step, extra, saver, log, stopped });
    }
    if (watches) {
      guard.rest();
      await snapshots.take(step);
    }
    if (saves) await saver.save(step);
    const waited = await panel.heed({ step, total, eta }, () => saver.save(step));
    started.time += waited;
    synced.time += waited;
  }
  guard.rest();
  progress.end();
  log.close();
  console.error(costText(spreadTime + log.time, (performance.now() - started.time) / 1000));
  await saver.finish(step);
  if (guard.stop) {
    const { why, code } = guard.stop;
    console.error(
      `stopped by ${why} after step ${step}; go on with --resume${
        args.out ? ` --out ${path}` : ""
      }`,
    );
    return code;
  }
  await saveWeights(join(path, "teacher.safetensors"), teacher);
  await saveWeights(join(path, "student.safetensors"), trainer.student);
  guard.saved();

  // What it learned, beside the same model before training and the pixels themselves.
  stepper.destroy();
  feed.destroy();
  await judge(gpu, judged);
  nameSkipped();
  console.log(`\nrun folder: ${path}`);
  loader.close();
  dataset.close?.();
  return 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
