/**
 * What a run has learned, beside the same model before training and the pixels themselves.
 *
 * @module
 */
import { DeviceError, HatchlingError } from "../../lib/errors.ts";
import { worthLine } from "../../lib/diagnosis.ts";
import { bestReadout } from "../../lib/eval/best_readout.ts";
import { type Figure, figureTable } from "../../lib/eval/figures.ts";
import { measureFeatures } from "../../lib/eval/measure.ts";
import {
  encoderName,
  isNetworkName,
  isWhitenedName,
  type Readout,
  readoutName,
} from "../../lib/eval/readout.ts";
import type { Sides } from "../../lib/eval/sides.ts";
import type { Whitening } from "../../lib/eval/whiten.ts";
import { measureWhitened } from "../../lib/eval/whiten_sides.ts";
import { networkOf, readoutOf } from "../../lib/from_config.ts";
import { evaluationOptionsOf } from "../../lib/from_config/evaluation.ts";
import { modelHash } from "../../lib/open_model/model_hash.ts";
import { storeWhitening } from "../../lib/open_model/whitening.ts";
import { leaveNeighbors } from "../../lib/report/samples.ts";
import { shown } from "../../lib/text.ts";
import { type Score, scoreOf } from "./best.ts";
import { Stopped } from "./encode.ts";
import { order } from "./ranks/duties.ts";
import type { Run } from "./run.ts";
import { saveBest } from "./save.ts";

/**
 * Evaluates the teacher, writes evaluation.json and prints the figures as a table. The run is saved by now: where that
 * is not possible is a warning.
 *
 * @returns The figure by which states of the run are compared.
 */
export async function evaluateRun(run: Run): Promise<Score | undefined> {
  try {
    return await evaluateBesides(run);
  } catch (error) {
    run.progress.say(
      `warning: not evaluated: ${messageOf(error)}; all is saved, and \`deno task evaluate ` +
        `${shown(run.folder.path)}\` tries again`,
    );
  }
}

/** Evaluates the teacher beside the same model before training and the pixels. */
async function evaluateBesides(run: Run): Promise<Score | undefined> {
  const { config, files, gpu, progress, step } = run;
  const readout = readoutOf(config), options = optionsOf(run);
  const all = await order(run, "encode", { beside: true, midway: false });
  const [teacher] = all;
  const figures: Figure[] = [];
  let searched: { sides: Sides; words: string } = {
    sides: teacher.sides,
    words: readoutName(readout),
  };
  for (const { name, untrained, sides } of all) {
    const onNote = name === teacher.name ? options.onNote : () => {}; // the same for all encoders
    figures.push(...(await measureFeatures(gpu, sides, name, { ...options, onNote })).figures);
    if (untrained) continue; // whitening takes its time; `deno task evaluate` does it
    const measured = await measureWhitened(gpu, sides, name, {
      ...options,
      onNote: (text) => text.startsWith(name) ? options.onNote(text) : undefined,
      whiten: { alpha: config.evaluation.whiten_alpha },
    });
    figures.push(...measured.figures);
    if (name !== teacher.name || !measured.whitened) continue;
    const { sides: whitened, whitening } = measured.whitened;
    await keepWhitening(run, whitening, readout);
    if (config.evaluation.whiten) {
      searched = { sides: whitened, words: `${searched.words}, whitened` };
    }
  }
  progress.end();
  await files.put("evaluation.json", JSON.stringify(figures, null, 2) + "\n");
  await run.log.evaluated(step, figures);
  progress.result(figureTable(figures));
  const judged = (teacher.sides.test ?? teacher.sides.gallery).encoded.indices.length;
  const best = bestReadout(figures, { pictures: judged });
  if (best) progress.result(`\n${best.text}`);
  await leaveNeighbors(gpu, searched.sides, files, searched.words).catch((error) => {
    progress.say(`warning: no neighbours in the report: ${error.message}`);
  });
  return scoreOf({
    step,
    figures: figures.filter(({ encoder }) => {
      return isNetworkName(encoder) && !isWhitenedName(encoder);
    }),
  });
}

/** Stores the whitening of a run's features with its weights: embed, search and look take it from there. */
async function keepWhitening(
  { config, files, progress, trainer }: Run,
  whitening: Whitening,
  readout: Readout,
): Promise<void> {
  const model = modelHash(await trainer.evaluated.save(), config, readout);
  try {
    await storeWhitening(files.folder, whitening, { feature: readoutName(readout), model });
  } catch (error) {
    progress.say(`warning: the whitening of the features is not stored: ${messageOf(error)}`);
  }
}

/**
 * Evaluates the teacher while it trains, the first time beside the same model before training and the pixels, so
 * that it can be told what the figures are worth: a line of evaluations.jsonl, and best.safetensors when its k-NN, or
 * without labels its view retrieval, is the best so far.
 */
export async function evaluateTeacher(run: Run): Promise<void> {
  const { config, extra, gpu, log, progress, step } = run;
  const options = { ...optionsOf(run), onNote: () => {} };
  const name = encoderName(networkOf(config), readoutOf(config)), all: Figure[] = [];
  try {
    const encoded = await order(run, "encode", { beside: !log.hasBaselines, midway: true });
    for (const { name, sides } of encoded) {
      all.push(...(await measureFeatures(gpu, sides, name, options)).figures);
    }
  } catch (error) {
    if (error instanceof Stopped) return;
    const message = messageOf(error);
    progress.say(`warning: not evaluated after step ${step}: ${message}; training goes on`);
    return;
  }
  const figures = all.filter(({ encoder }) => encoder === name);
  const bare = (figures: readonly Figure[]) => figures.map(({ group: _, ...figure }) => figure);
  const baselines = all.filter(({ encoder }) => encoder !== name);
  await log.evaluatedMidway(step, bare(figures), bare(baselines));
  const worth = log.worthOf(figures);
  progress.say(
    `step ${step}: ${
      figures.map(({ metric, percent, value }) =>
        `${metric} ${percent === undefined ? value!.toFixed(3) : `${percent.toFixed(1)} %`}`
      ).join(", ")
    }${worth ? `; ${worthLine(worth)}` : ""}`,
  );
  const score = scoreOf({ step, figures });
  if (!score) return;
  if (extra.best && extra.best.metric === score.metric && extra.best.percent >= score.percent) {
    return;
  }
  extra.best = score;
  if (config.checkpoint.save_best) await saveBest(run);
}

/** What is wrong with an evaluation. Trouble with the device is trouble for the run too, and thrown on. */
function messageOf(error: unknown): string {
  if (!(error instanceof HatchlingError) || error instanceof DeviceError) throw error;
  return error.message;
}

/** How features are measured. */
function optionsOf({ config, progress }: Run) {
  return {
    ...evaluationOptionsOf(config),
    probes: config.evaluation.probes,
    onMeasure: (what: string) => progress.show(`evaluating: ${what}`),
    onNote: (text: string) => progress.say(`note: ${text}`),
  };
}
