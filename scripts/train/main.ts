/**
 * Trains a vision transformer with DINO: `deno task train CONFIG [--out DIR] [--resume] [--section.key value …]`.
 *
 * This file is the table of contents of a run: settings, data, model, trainer, loop, evaluation, result.
 *
 * @module
 */
import { join } from "node:path";
import { ensureAdapter } from "../../lib/adapter.ts";
import type { Config } from "../../lib/config.ts";
import { feedOptionsOf, loaderOf, modelOf, trainerOptionsOf } from "../../lib/from_config.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { saveWeights } from "../../lib/io.ts";
import { checkFits } from "../../lib/plan/fit.ts";
import { SideFiles } from "../../lib/run/side_files.ts";
import { Trainer } from "../../lib/train.ts";
import { Feed } from "../../lib/train/feed.ts";
import { commandArgs } from "../common/called.ts";
import { chooseKernels, type KernelRecord } from "../common/kernels.ts";
import { proveRun } from "../common/proven.ts";
import { Progress } from "../common/progress.ts";
import { runCommand } from "../common/terminal.ts";
import { readArguments } from "./arguments.ts";
import { keepBest } from "./best.ts";
import { budgeting } from "./budget.ts";
import { evaluateRun } from "./evaluate.ts";
import { follow } from "./follow.ts";
import { Guard } from "./guard.ts";
import { comparing, evaluating, heeding, logging, saving, showing, snapshotting } from "./hooks.ts";
import { readKept } from "./kept.ts";
import { lengthOf } from "../../lib/from_config/length.ts";
import { trainSteps } from "./loop.ts";
import { Panel } from "./panel.ts";
import { Pictures } from "./pictures.ts";
import { withTeam } from "./ranks/entry.ts";
import { admitRanks, beginRanks, checkTogether, inviteRanks, readyRanks } from "./ranks/lead.ts";
import { shareOf } from "./ranks/settings.ts";
import type { Team } from "./ranks/team.ts";
import { recoverDevice, recoverStep } from "./recover.ts";
import { sayEnd, withReport } from "./result.ts";
import type { Launch } from "./run.ts";
import { RunFolder } from "./run_folder.ts";
import { earlierPictures } from "./same_run.ts";
import { SCREEN } from "./screen.ts";
import { beginRun, startState } from "./start.ts";
import { Stepper } from "./stepper.ts";
import { surviveStrays } from "./strays.ts";

async function main(progress: Progress, team: Team): Promise<number> {
  // Settings: the command line, the configuration, the folder of the run and who watches over it.
  const args = await readArguments(commandArgs());
  if (typeof args === "number") return args;
  checkTogether(team, args.config);
  await using folder = await RunFolder.open(args.file, args);
  const rows = args.resume ? await readKept(folder.path) : [];
  await using files = new SideFiles(folder.path, { say: (message) => progress.say(message) });
  await ensureAdapter({ log: (line) => progress.say(line) });
  using guard = await Guard.start(args.config.device.watchdog_seconds, folder.path, team);
  using panel = await Panel.open(args.dashboard, { folder: folder.path, guard, progress });

  // Data, which is opened once, by all ranks.
  await inviteRanks(team, args, folder.path);
  await using pictures = await Pictures.open(args.config, progress);
  await admitRanks(team, pictures);
  const before = folder.checkpoint?.state;
  const earlier = earlierPictures(pictures, { config: args.config, before, rows });

  const launch = { args, folder, files, guard, panel, progress, pictures, earlier, team };
  return await recoverDevice(
    launch,
    (gpu, config) => withReport(launch, panel.until(train(gpu, config, launch))),
  );
}

/** The run on one device; after trouble it goes on with another one. */
async function train(gpu: Gpu, config: Config, launch: Launch): Promise<number> {
  const { folder: { checkpoint, path }, guard, pictures: { dataset }, progress, team } = launch;

  // Data, in batches whose order the seed fixes.
  const ranks = team.ranksFor(config);
  using loader = loaderOf(dataset, config, ranks);
  await checkFits(gpu, shareOf(config, team.size), dataset);
  const { stepsPerEpoch } = loader;

  // Model and trainer, which is all that training changes.
  await proveRun(gpu, shareOf(config, team.size), progress);
  const before = checkpoint?.state.extra?.kernels as KernelRecord | undefined;
  const kernels = await chooseKernels(gpu, { before, config, progress });
  await beginRanks(team, { config, kernels });
  const model = modelOf(config);
  using trainer = new Trainer(gpu, model, { ...trainerOptionsOf(config, gpu), ranks });
  const { step, extra } = await startState(launch, { model, trainer, kernels });
  const length = lengthOf(config, stepsPerEpoch, extra.pace);

  // One step, recorded once: crops, both networks, loss, gradients, update.
  using feed = new Feed(gpu, loader, feedOptionsOf(config));
  progress.show("recording the training step and compiling its kernels", true);
  using stepper = await Stepper.record(gpu, trainer, feed, ranks);
  progress.end();
  progress.say(stepper.describe());
  const parts = { ...launch, gpu, config, loader, model, trainer, feed, stepper, ranks };
  const places = await readyRanks(parts, kernels);
  if (guard.stop) {
    progress.say(`stopped by ${guard.stop.why} before it began: nothing was changed`);
    return guard.stop.code;
  }

  // The loop. All that can be checked is checked: from here on the folder changes.
  const run = await beginRun({ ...parts, ...length, stepsPerEpoch, step, extra, places });
  const hooks = [
    ...comparing(run),
    showing(run),
    logging(run),
    evaluating(run),
    await snapshotting(run),
    saving(run),
    ...budgeting(run),
    heeding(run),
  ];
  await trainSteps(run, hooks, (found) => recoverStep(run, found));
  const { stop } = guard;
  if (!stop) {
    if (trainer.teacher) await saveWeights(join(path, "teacher.safetensors"), trainer.teacher);
    await saveWeights(join(path, "student.safetensors"), trainer.student);
    guard.saved();
  }

  // Evaluation: what it learned, beside the same model before training and the pixels themselves.
  await keepBest(run, stop ? undefined : await evaluateRun(run));

  // Result.
  return await sayEnd(run, stop);
}

await runCommand(() =>
  withTeam((team) => {
    const progress = new Progress(SCREEN);
    return surviveStrays(progress, () => main(progress, team));
  }, follow)
);
