/**
 * Trains a vision transformer with DINO: `deno task train CONFIG [--out DIR] [--resume] [--section.key value …]`.
 *
 * This file is the table of contents of a run; every step of it is a module that other scripts can use.
 *
 * @module
 */
import { join } from "node:path";
import { ensureAdapter } from "../../lib/adapter.ts";
import { type Config, stringifyConfig } from "../../lib/config.ts";
import { DeviceError } from "../../lib/errors.ts";
import { type Gpu, openGpu } from "../../lib/gpu.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { shown } from "../../lib/text.ts";
import { Trainer } from "../../lib/train.ts";
import { Panel } from "./panel.ts";
import { checkFits } from "../../lib/plan/fit.ts";
import { runCommand } from "../shared/terminal.ts";
import { type Arguments, readArguments } from "./arguments.ts";
import { mendBest, type Score } from "./best.ts";
import { type RunExtra, saveWeights } from "./checkpoints.ts";
import { Feed } from "../../lib/train/feed.ts";
import { Guard } from "./guard.ts";
import { judge, judgeTeacher } from "./judge.ts";
import { chooseKernels } from "../shared/kernels.ts";
import { look } from "./look.ts";
import { heal } from "./heal.ts";
import { examine } from "./non_finite.ts";
import { readKept } from "./kept.ts";
import { Pictures } from "./pictures.ts";
import { Progress } from "../shared/progress.ts";
import { clock } from "../../lib/words.ts";
import { RunFolder } from "./run_folder.ts";
import { costText, RunLog } from "./run_log.ts";
import { codeVersion, recordLeftOut, recordPart } from "./run_record.ts";
import { checkSameConfig, checkSamePictures, type Earlier, earlierPictures } from "./same_run.ts";
import { Saver } from "./saver.ts";
import {
  diagnosisSettingsOf,
  feedOptionsOf,
  loaderOf,
  modelOf,
  scheduleOf,
  trainerOptionsOf,
} from "../../lib/from_config.ts";
import { settle } from "../shared/resolve.ts";
import { SideFiles } from "../../lib/run/side_files.ts";
import { Snapshots } from "./snapshots.ts";
import { screenOf } from "./screen.ts";
import { startState } from "./start.ts";
import { Stepper } from "./stepper.ts";
import { surviveStrays } from "./strays.ts";
import { withReport } from "./with_report.ts";

/** Longest time in milliseconds that steps are queued without looking at their results. */
const PATIENCE = 1000;

/** What outlives a device. */
interface Run {
  args: Arguments;
  config: Config;
  folder: RunFolder;
  files: SideFiles;
  guard: Guard;
  panel: Panel;
  progress: Progress;
  pictures: Pictures;
  earlier: Earlier;
}

async function main(progress: Progress): Promise<number> {
  const args = await readArguments(Deno.args);
  const folder = await RunFolder.open(args.file, args);
  return await prepare(args, folder, progress).finally(() => folder.leave());
}

async function prepare(args: Arguments, folder: RunFolder, progress: Progress): Promise<number> {
  const before = folder.checkpoint?.state;
  const rows = args.resume ? await readKept(folder.path) : [];
  // The watch over the run; pictures.
  const files = new SideFiles(folder.path, { say: (message) => progress.say(message) });
  await ensureAdapter({ log: (line) => progress.say(line) });
  const guard = await Guard.start(args.config.device.watchdog_seconds, folder.path);
  const panel = await Panel.open(args.dashboard, { folder: folder.path, guard, progress });
  const pictures = await Pictures.open(args.config, progress);
  const earlier = earlierPictures(pictures, { config: args.config, before, rows });

  // The run. Trouble with the device costs it the steps since the last checkpoint, and happens once in a place.
  let config: Config | undefined;
  for (let trouble = -1;;) {
    const gpu = await openGpu({ limits: args.config.device.limits });
    try {
      if (!config) {
        const { dataset } = pictures;
        config = await settle(args, { gpu, dataset, before: before?.config, progress });
        if (before) {
          const { moved } = earlier;
          checkSameConfig(config, before.config, { extend: args.extend, moved });
          checkSamePictures(before, pictures);
        }
      }
      const run = train(gpu, {
        args,
        config,
        folder,
        files,
        guard,
        panel,
        progress,
        pictures,
        earlier,
      });
      return await withReport(panel.until(run), { folder, files, guard, progress });
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      guard.rest();
      progress.end();
      await folder.refresh();
      const step = folder.checkpoint?.step ?? 0;
      if (step <= trouble) throw error;
      trouble = step;
      progress.say(`error: ${error.message}\nGoing on after step ${step} with a new device.`);
    } finally {
      gpu.destroy();
    }
  }
}

async function train(
  gpu: Gpu,
  { args, config, folder, files, guard, panel, progress, pictures, earlier }: Run,
): Promise<number> {
  const { data, training, logging, evaluation } = config;
  const { dataset, fingerprint } = pictures;
  await checkFits(gpu, config, dataset);
  const loader = loaderOf(dataset, config);
  const { stepsPerEpoch } = loader;
  const total = Math.min(training.num_epochs * stepsPerEpoch, training.max_steps ?? Infinity);
  const { path, checkpoint } = folder;
  const kernels = await chooseKernels(gpu, {
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
  let step = await startState(trainer, model, { folder, args, extra });
  const valuesOf = scheduleOf(config, stepsPerEpoch);

  // One step, recorded once: crops, both networks, loss, gradients, update.
  const feed = new Feed(gpu, { loader, dataset }, feedOptionsOf(config));
  progress.show("recording the training step and compiling its kernels", true);
  const stepper = await Stepper.record(gpu, trainer, feed);
  progress.end();
  progress.say(stepper.describe());
  if (guard.stop) {
    progress.say(`stopped by ${guard.stop.why} before it began: nothing was changed`);
    return guard.stop.code;
  }

  // All that can be checked is checked: from here on the folder changes. What says that it holds a run comes first.
  await folder.begin();
  const { leftOut } = pictures;
  await recordPart(files, { step, gpu, code: extra.code, dataset, fingerprint, leftOut });
  const yaml = new TextEncoder().encode(stringifyConfig(config));
  await writeFileAtomic(join(path, "config.yaml"), yaml);
  await files.put("kernels.json", JSON.stringify(kernels, null, 2) + "\n");
  await pictures.keep(files, earlier.rows);
  const mend = async (also?: Score) => {
    if (!config.checkpoint.save_best) return;
    const say = (message: string) => progress.say(message);
    extra.best = await mendBest(path, extra.best, { upTo: step, also, say });
  };
  await mend();

  const { teacher } = trainer;
  const judged = { config, dataset, model, teacher, files, progress };
  const stopped = () => !!guard.stop;
  const snapshots = await Snapshots.open(gpu, step, { ...judged, total, stepsPerEpoch, stopped });

  // The loop.
  const settings = diagnosisSettingsOf(config, total);
  let log = await RunLog.open(files, step, settings, progress, logging);
  const saver = new Saver(path, trainer, {
    config,
    stepsPerEpoch,
    extra,
    progress,
    last: checkpoint ? step : -1,
    onSaved: (step) => folder.saved(step),
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
    pictures.nameSkipped();

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
        files,
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
      log.conclude();
      log = await RunLog.open(files, step, settings, progress, logging);
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
  log.conclude();
  progress.say(costText(spreadTime + log.time, (performance.now() - started.time) / 1000));
  await saver.finish(step);
  if (guard.stop) {
    await mend();
    await countLeftOut(pictures, files, progress);
    const { why, code } = guard.stop;
    progress.say(
      `stopped by ${why} after step ${step}` +
        (folder.isOurs ? `; go on with --resume${args.out ? ` --out ${shown(path)}` : ""}` : ""),
    );
    return code;
  }
  await saveWeights(join(path, "teacher.safetensors"), teacher);
  await saveWeights(join(path, "student.safetensors"), trainer.student);
  guard.saved();

  // What it learned, beside the same model before training and the pixels themselves.
  stepper.destroy();
  feed.destroy();
  await mend(await judge(gpu, judged, { step, log }));
  await countLeftOut(pictures, files, progress);
  progress.result(`\nrun folder: ${shown(path)}`);
  loader.close();
  dataset.close?.();
  return 0;
}

/** Says and records how many files were left out in all. */
async function countLeftOut(
  pictures: Pictures,
  files: SideFiles,
  progress: Progress,
): Promise<void> {
  pictures.nameSkipped();
  await recordLeftOut(files, pictures.leftOut);
  if (pictures.leftOutText) progress.say(pictures.leftOutText);
}

await runCommand(() => {
  const progress = new Progress(screenOf(Deno.stderr, 2));
  return surviveStrays(progress, () => main(progress));
});
