/**
 * Where a run begins: its last checkpoint, given weights, or random ones.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import type { LatestCheckpoint } from "../../lib/io/checkpoint.ts";
import { readWeights } from "../../lib/io/weights.ts";
import { type DinoModel, initialize } from "../../lib/model/mod.ts";
import type { Trainer } from "../../lib/train.ts";
import type { Arguments } from "./arguments.ts";
import { restoreTrainer, type RunExtra } from "./checkpoints.ts";
import type { CodeVersion } from "./run_record.ts";

/** What decides it. */
export interface Beginning {
  /** The checkpoint to go on from. */
  checkpoint?: LatestCheckpoint;
  /** The command line. */
  args: Arguments;
  /** What a run knows besides its weights; what the checkpoint knows of it is put in. */
  extra: RunExtra;
}

/**
 * Fills a trainer.
 *
 * @returns The steps that are done.
 * @throws {HatchlingError} When the pictures are no longer those of the checkpoint, or weights do not fit.
 */
export async function startState(
  trainer: Trainer,
  model: DinoModel,
  { checkpoint, args, extra }: Beginning,
): Promise<number> {
  if (checkpoint) {
    const { state, step, path } = checkpoint;
    const before = state.extra as Partial<RunExtra> | undefined;
    checkSamePictures(before?.data, extra.data);
    noteOtherCode(before?.code, extra.code);
    restoreTrainer(trainer, state);
    extra.skippedSteps = [...before?.skippedSteps ?? []];
    extra.best = before?.best;
    console.error(`resuming after step ${step}, from ${path}`);
    return step;
  }
  const random = initialize(model.specs(), args.config.training.seed);
  if (!args.weights) trainer.load(random);
  else {
    const path = await weightsFile(args.weights);
    const { weights, missing, unused } = await readWeights(path, model.specs());
    trainer.load(new Map([...random, ...weights]));
    console.error(
      `starting from ${weights.size} tensors of ${path}` +
        (missing.length ? "; it holds no head: the head starts at random" : "") +
        (unused.length
          ? `; not used: ${unused.slice(0, 4).join(", ")}${unused.length > 4 ? ", …" : ""}`
          : ""),
    );
  }
  return 0;
}

/** A file as it is; of a run's folder the teacher. */
async function weightsFile(path: string): Promise<string> {
  const isFolder = (await Deno.stat(path).catch(() => undefined))?.isDirectory;
  return isFolder ? join(path, "teacher.safetensors") : path;
}

function checkSamePictures(before: string | undefined, now: string | undefined): void {
  if (before === undefined || before === now) return;
  throw new HatchlingError(
    "Expected the pictures that the run started with but files were added, removed or changed since: every " +
      "picture's place in the order would be another one. Put them back, or start a new run from this one's " +
      "weights with --weights",
  );
}

function noteOtherCode(before: CodeVersion | undefined, now: CodeVersion): void {
  const name = ({ version, commit }: CodeVersion) =>
    commit ? `${version} (${commit.slice(0, 10)})` : version;
  if (!before || name(before) === name(now)) return;
  console.error(
    `warning: version ${name(before)} wrote the checkpoint and ${
      name(now)
    } goes on: the same bits as without ` +
      "the stop are not to be expected",
  );
}
