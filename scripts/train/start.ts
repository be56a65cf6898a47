/**
 * How a run begins: with its last checkpoint, given weights, or random ones; and what it first writes.
 *
 * @module
 */
import { join } from "node:path";
import { stringifyConfig } from "../../lib/config.ts";
import { diagnosisSettingsOf } from "../../lib/from_config.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { type DinoModel, initialize } from "../../lib/model.ts";
import { shown } from "../../lib/text.ts";
import type { Trainer } from "../../lib/train.ts";
import type { KernelRecord } from "../common/kernels.ts";
import { PRECISION } from "../../lib/ops/precision_task.ts";
import { codeName, type CodeVersion, codeVersion } from "../common/code_version.ts";
import { say } from "../common/terminal.ts";
import { keepBest } from "./best.ts";
import { restoreState } from "../../lib/train/state.ts";
import type { Launch, Prepared, Run, RunExtra } from "./run.ts";
import { RunLog } from "./run_log.ts";
import { recordPart } from "./run_record.ts";
import { givenWeights } from "./weights.ts";

/**
 * Fills a trainer.
 *
 * @returns The steps that are done, and what the run knows besides its weights.
 * @throws {HatchlingError} When weights do not fit.
 */
export async function startState(
  { args, folder, pictures }: Launch,
  { model, trainer, kernels }: { model: DinoModel; trainer: Trainer; kernels: KernelRecord },
): Promise<{ step: number; extra: RunExtra }> {
  const code = await codeVersion();
  const extra = { kernels, code, data: pictures.fingerprint, skippedSteps: [] };
  if (folder.checkpoint) {
    const { state, step, path } = folder.checkpoint;
    const before = state.extra as Partial<RunExtra> | undefined;
    noteOtherCode(before?.code, code);
    restoreState(trainer, state);
    const skippedSteps = [...before?.skippedSteps ?? []];
    say(`resuming after step ${step}, from ${shown(path)}`);
    const pace = args.extend ? undefined : before?.pace; // more epochs have an end of their own
    return { step, extra: { ...extra, skippedSteps, best: before?.best, pace } };
  }
  const random = initialize(model.specs(), args.config.training.seed);
  if (!args.weights) trainer.load(random);
  else {
    const weights = await givenWeights(args.weights, folder, model, args.config);
    trainer.load(new Map([...random, ...weights]));
  }
  return { step: 0, extra };
}

/** Takes the folder for the run, which can no longer be refused: what says that it holds a run comes first. */
export async function beginRun(prepared: Prepared): Promise<Run> {
  const { config, earlier, extra, files, folder, pictures, progress, places, step, total } =
    prepared;
  await folder.begin();
  const precision = extra.kernels.choices[PRECISION];
  await recordPart(files, { ...prepared, code: extra.code, precision });
  const yaml = new TextEncoder().encode(stringifyConfig(config));
  await writeFileAtomic(join(folder.path, "config.yaml"), yaml);
  await files.put("kernels.json", JSON.stringify(extra.kernels, null, 2) + "\n");
  await pictures.keep(files, earlier.rows);
  await keepBest(prepared);
  const { length: count } = pictures.dataset;
  const settings = {
    ...diagnosisSettingsOf(config, { totalSteps: total, pictures: count }),
    hosts: places.map(({ host }) => shown(host)),
  };
  const log = await RunLog.open(files, step, settings, progress, config.logging);
  return { ...prepared, saved: folder.checkpoint ? step : -1, log };
}

function noteOtherCode(before: CodeVersion | undefined, now: CodeVersion): void {
  if (!before || codeName(before) === codeName(now)) return;
  say(
    `warning: version ${codeName(before)} wrote the checkpoint and ${
      codeName(now)
    } goes on: the same bits as without the stop are not to be expected`,
  );
}
