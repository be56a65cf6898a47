/**
 * Where a run begins: its last checkpoint, given weights, or random ones.
 *
 * @module
 */
import { readWeights } from "../../lib/io/weights.ts";
import { type DinoModel, initialize } from "../../lib/model.ts";
import type { Trainer } from "../../lib/train.ts";
import { shown } from "../../lib/text.ts";
import { say } from "../shared/terminal.ts";
import { firstSound, weightFiles } from "../../lib/open_model/weight_files.ts";
import type { Arguments } from "./arguments.ts";
import { restoreTrainer, type RunExtra } from "./checkpoints.ts";
import type { RunFolder } from "./run_folder.ts";
import type { CodeVersion } from "./run_record.ts";

/** What decides it. */
export interface Beginning {
  /** The command line. */
  args: Arguments;
  /** The run's folder. */
  folder: RunFolder;
  /** What a run knows besides its weights; what the checkpoint knows of it is put in. */
  extra: RunExtra;
}

/**
 * Fills a trainer.
 *
 * @returns The steps that are done.
 * @throws {HatchlingError} When weights do not fit.
 */
export async function startState(
  trainer: Trainer,
  model: DinoModel,
  { folder, args, extra }: Beginning,
): Promise<number> {
  if (folder.checkpoint) {
    const { state, step, path } = folder.checkpoint;
    const before = state.extra as Partial<RunExtra> | undefined;
    noteOtherCode(before?.code, extra.code);
    restoreTrainer(trainer, state);
    extra.skippedSteps = [...before?.skippedSteps ?? []];
    extra.best = before?.best;
    say(`resuming after step ${step}, from ${shown(path)}`);
    return step;
  }
  const random = initialize(model.specs(), args.config.training.seed);
  if (!args.weights) trainer.load(random);
  else {
    const { path, weights, missing, unused } = await givenWeights(
      await folder.where(args.weights),
      model,
    );
    trainer.load(new Map([...random, ...weights]));
    const names = unused.slice(0, 4).map((name) => shown(name.slice(0, 60)));
    say(
      `starting from ${weights.size} tensors of ${shown(path)}` +
        (missing.length ? "; it holds no head: the head starts at random" : "") +
        (unused.length
          ? `; not used: ${names.join(", ")}${unused.length > names.length ? ", …" : ""}`
          : ""),
    );
  }
  return 0;
}

/** Weights of a file; of a run's folder those of its teacher, as sound as they are to be had. */
async function givenWeights(path: string, model: DinoModel) {
  const isFolder = (await Deno.stat(path).catch(() => undefined))?.isDirectory;
  const files = isFolder ? await weightFiles(path, "teacher") : [path];
  return await firstSound(files, async (path) => {
    return { path, ...await readWeights(path, model.specs()) };
  }, (message) => say(`warning: ${message}`));
}

function noteOtherCode(before: CodeVersion | undefined, now: CodeVersion): void {
  const name = ({ version, commit }: CodeVersion) =>
    commit ? `${version} (${commit.slice(0, 10)})` : version;
  if (!before || name(before) === name(now)) return;
  say(
    `warning: version ${name(before)} wrote the checkpoint and ${
      name(now)
    } goes on: the same bits as without ` +
      "the stop are not to be expected",
  );
}
