/**
 * What a run has learned, beside the same model before training and the pixels themselves.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { DeviceError, HatchlingError } from "../../lib/errors.ts";
import { pixelEncoder, vitEncoder } from "../../lib/eval/encode.ts";
import { evaluate, type Figure, figureTable, measureFeatures } from "../../lib/eval/evaluate.ts";
import { encodeSides } from "../../lib/eval/sides.ts";
import { evaluationOptionsOf, openTest } from "../../lib/from_config/evaluation.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { type DinoModel, initialize, Parameters } from "../../lib/model.ts";
import { shown } from "../../lib/text.ts";
import { leaveNeighbors } from "../../lib/report/samples.ts";
import { type Score, scoreOf } from "./best.ts";
import type { RunExtra } from "./checkpoints.ts";
import type { Progress } from "../shared/progress.ts";
import type { RunLog } from "./run_log.ts";
import type { Saver } from "./saver.ts";
import type { SideFiles } from "../../lib/run/side_files.ts";

/** What is judged. */
export interface Judged {
  /** The configuration of the run. */
  config: Config;
  /** Its pictures. */
  dataset: Dataset;
  /** Its model. */
  model: DinoModel;
  /** The weights to judge. */
  teacher: Parameters;
  /** Files of the run. */
  files: SideFiles;
  /** Where to say how far it is. */
  progress: Progress;
}

/** Test sets, opened once per run. */
const tests = new WeakMap<Dataset, Promise<Dataset | undefined>>();

/**
 * Evaluates the teacher after `step` steps, writes evaluation.json and prints the figures as a table. The run is
 * saved by now: where that is not possible is a warning.
 *
 * @returns The figure by which states of the run are compared.
 */
export async function judge(
  gpu: Gpu,
  judged: Judged,
  at: Pick<Midway, "step" | "log">,
): Promise<Score | undefined> {
  try {
    return await judgeAll(gpu, judged, at);
  } catch (error) {
    judged.progress.say(
      `warning: not evaluated: ${messageOf(error)}; all is saved, and \`deno task evaluate ` +
        `${shown(judged.files.folder)}\` tries again`,
    );
  }
}

async function judgeAll(
  gpu: Gpu,
  judged: Judged,
  { step, log }: Pick<Midway, "step" | "log">,
): Promise<Score | undefined> {
  const { config, dataset, model, teacher, files, progress } = judged;
  const initial = new Parameters(gpu, model.specs());
  initial.load(initialize(model.specs(), config.training.seed));
  const encoders = [
    vitEncoder(gpu, "teacher", model.vit, teacher),
    vitEncoder(gpu, "random init", model.vit, initial),
    pixelEncoder(config.model.in_chans),
  ];
  const options = await optionsOf(judged);
  const sides = await encodeSides(gpu, dataset, encoders, options);
  const figures: Figure[] = [];
  for (const [e, both] of sides.entries()) {
    const onNote = e ? () => {} : options.onNote; // the same for all encoders
    const measured = await measureFeatures(gpu, both, encoders[e].name, { ...options, onNote });
    figures.push(...measured.figures);
  }
  progress.end();
  initial.destroy();
  await files.put("evaluation.json", JSON.stringify(figures, null, 2) + "\n");
  await log.judged(step, figures);
  progress.result(figureTable(figures));
  await leaveNeighbors(gpu, sides[0], files).catch((error) => {
    progress.say(`warning: no neighbours in the report: ${error.message}`);
  });
  return scoreOf({ step, figures: figures.filter(({ encoder }) => encoder === "teacher") });
}

/** What an evaluation during training may do besides. */
export interface Midway {
  /** Steps done. */
  step: number;
  /** The best so far, which it replaces when it is better. */
  extra: RunExtra;
  /** Saves the best. */
  saver: Saver;
  /** Where the figures are noted besides. */
  log: RunLog;
  /** Whether the run is to stop: the evaluation is then given up. */
  stopped: () => boolean;
}

/** Asked to stop while it evaluates. */
class Stopped extends Error {}

/**
 * Evaluates the teacher while it trains: a line of evaluations.jsonl, and best.safetensors when its k-NN, or
 * without labels its view retrieval, is the best so far.
 */
export async function judgeTeacher(
  gpu: Gpu,
  judged: Judged,
  { step, extra, saver, log, stopped }: Midway,
): Promise<void> {
  const { config, dataset, model, teacher, progress } = judged;
  const options = { ...await optionsOf(judged), onNote: () => {} };
  let figures: Figure[];
  try {
    figures = await evaluate(gpu, dataset, [vitEncoder(gpu, "teacher", model.vit, teacher)], {
      ...options,
      onProgress: (done) => {
        if (stopped()) throw new Stopped();
        options.onProgress(done);
      },
    });
  } catch (error) {
    if (error instanceof Stopped) return;
    const message = messageOf(error);
    progress.say(`warning: not evaluated after step ${step}: ${message}; training goes on`);
    return;
  }
  const found = figures.map(({ metric, percent, value }) => ({ metric, percent, value }));
  await log.judgedMidway(step, found);
  progress.say(
    `step ${step}: ${
      figures.map(({ metric, percent, value }) =>
        `${metric} ${percent === undefined ? value!.toFixed(3) : `${percent.toFixed(1)} %`}`
      ).join(", ")
    }`,
  );
  const score = scoreOf({ step, figures });
  if (!score) return;
  if (extra.best && extra.best.metric === score.metric && extra.best.percent >= score.percent) {
    return;
  }
  extra.best = score;
  if (config.checkpoint.save_best) await saver.best(step);
}

/** What is wrong with an evaluation. Trouble with the device is trouble for the run too, and thrown on. */
function messageOf(error: unknown): string {
  if (!(error instanceof HatchlingError) || error instanceof DeviceError) throw error;
  return error.message;
}

async function optionsOf({ config, dataset, progress }: Judged) {
  if (!tests.has(dataset)) {
    // A run isn't lost for that.
    const none = (error: Error) => {
      if (!(error instanceof HatchlingError)) throw error;
      progress.say(`warning: ${error.message}; every picture is judged by all others instead`);
      return undefined;
    };
    tests.set(dataset, openTest(config).catch(none));
  }
  const test = await tests.get(dataset);
  const options = evaluationOptionsOf(config);
  return {
    ...options,
    test,
    probes: config.evaluation.probes,
    onProgress: (done: number) => progress.show(`evaluating: ${done} pictures`),
    onMeasure: (what: string) => progress.show(`evaluating: ${what}`),
    onNote: (text: string) => progress.say(`note: ${text}`),
  };
}
