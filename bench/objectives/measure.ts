/**
 * What a job's weights are worth: by the same code, on the same pictures and views for all.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { openDataset } from "../../lib/data/open.ts";
import { type Encoder, pixelEncoder } from "../../lib/eval/encoder.ts";
import { featureEncoders } from "../../lib/eval/feature_encoder.ts";
import { encodeSides } from "../../lib/eval/sides.ts";
import { datasetOptionsOf, modelOf } from "../../lib/from_config.ts";
import { evaluationOptionsOf, openTest } from "../../lib/from_config/evaluation.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { readWeights } from "../../lib/io/weights.ts";
import { initialize, Parameters } from "../../lib/model.ts";
import { judge } from "../quality/judge.ts";
import { WHITENED } from "../quality/results.ts";
import { type Found, type Job, overridesOf } from "./job.ts";
import { READOUTS } from "./rows.ts";

/** What a picture's own pixels are called among the read-outs. */
export const PIXELS = "pixels";

/** Seed of the views that pictures are looked for by: the same for all, whatever seed they trained with. */
const VIEWS = 0;

/**
 * Judges every read-out, as it is and whitened.
 *
 * @param weights The file, where the job has trained.
 * @param say Gets what is under way, in words.
 */
export async function measure(
  gpu: Gpu,
  job: Job,
  weights: string | undefined,
  say: (text: string) => void,
): Promise<Pick<Found, "figures" | "judged">> {
  const { row, seed } = job;
  const { config } = await readConfig(row.config, { overrides: overridesOf(job) });
  const { dataset, test } = await openPictures(config, row.judge);
  const model = modelOf(config);
  const params = new Parameters(gpu, model.specs());
  try {
    const initial = initialize(model.specs(), seed);
    const trained = weights && (await readWeights(weights, model.specs())).weights;
    params.load(new Map([...initial, ...trained ? trained : []]));
    const encoders: Encoder[] = row.by === "pixels"
      ? [{ ...pixelEncoder(config.model.in_chans), name: PIXELS }]
      : featureEncoders(
        gpu,
        model.backbone,
        params,
        (row.readouts ?? READOUTS).map((feature) => ({ feature, name: feature })),
      );
    const options = {
      ...evaluationOptionsOf(config),
      seed: VIEWS,
      views: true,
      neighborsOnly: true,
      knnK: [10],
      alpha: config.evaluation.whiten_alpha,
      test,
    };
    const onProgress = (done: number) => say(`${row.name}, seed ${seed}: ${done} pictures`);
    const all = await encodeSides(gpu, dataset, encoders, { ...options, onProgress });
    const figures: Found["figures"] = {};
    for (const [e, { name }] of encoders.entries()) {
      say(`${row.name}, seed ${seed}: judging ${name}`);
      const found = await judge(gpu, { sides: all[e] }, name, options);
      for (const { metric, percent } of found.figures) {
        if (percent === undefined) continue;
        const white = metric.startsWith(WHITENED);
        const key = white ? `${name} W` : name;
        (figures[key] ??= {})[white ? metric.slice(WHITENED.length) : metric] = percent;
      }
    }
    const judged = all[0].test ?? all[0].gallery;
    const judging = `${judged.encoded.indices.length} pictures of ${judged.dataset.name}`;
    return { figures, judged: judging };
  } finally {
    params.destroy();
    for (const set of [dataset, test]) set?.close?.();
  }
}

async function openPictures(config: Config, judge: Job["row"]["judge"]) {
  const options = datasetOptionsOf(config);
  if (judge === "mnist") {
    return { dataset: await openDataset(options), test: await openTest(config) };
  }
  return { dataset: await openDataset({ ...options, dataset: judge, split: "all" }) };
}
