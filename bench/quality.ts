/**
 * Is it as good as PyTorch? `deno task bench:quality CONFIG [--epochs N] [--every N] [--threads N] [--out DIR]
 * [--section.key value …]` trains one recipe in Hatchling and in the PyTorch reference of tests/golden, in turns:
 * the same initial weights, the same crops (Hatchling makes each batch once), schedules worked out by each side.
 * What both have learned is judged by the same code. `--objective simdino` trains PyTorch alone, on these crops, by an
 * objective that only it has.
 *
 * Writes results.jsonl as it goes, results.json and curves.svg at every evaluation, and everybody's weights at the
 * end; `--report DIR` sums up the lines of a comparison that was stopped.
 *
 * @module
 */
import { HatchlingError } from "../lib/errors.ts";
import { type Encoder, pixelEncoder } from "../lib/eval/encoder.ts";
import type { Figure } from "../lib/eval/figures.ts";
import { encodeSides } from "../lib/eval/sides.ts";
import { join } from "node:path";
import { ensureAdapter } from "../lib/adapter.ts";
import { openGpu, record } from "../lib/gpu.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { float32Tensor, serializeSafetensors } from "../lib/io/safetensors.ts";
import { initialize } from "../lib/model.ts";
import { evaluationOptionsOf, openTest } from "../lib/from_config/evaluation.ts";
import { Feed } from "../lib/train/feed.ts";
import { chooseKernels } from "../scripts/common/kernels.ts";
import { openDataset } from "../lib/data/open.ts";
import { Progress } from "../scripts/common/progress.ts";
import { clock } from "../lib/words.ts";
import {
  datasetOptionsOf,
  feedOptionsOf,
  loaderOf,
  modelOf,
  scheduleOf,
} from "../lib/from_config.ts";
import { SideFiles } from "../lib/run/side_files.ts";
import { type QualityArguments, readQualityArguments } from "./quality/arguments.ts";
import type { Contestant, Crops } from "./quality/contestant.ts";
import { openHatchling } from "./quality/hatchling.ts";
import { judge } from "./quality/judge.ts";
import { openResults, readResults, writeSummary } from "./quality/files.ts";
import { checkComparable } from "./quality/recipe.ts";
import { reportText } from "./quality/report.ts";
import { relativeDistance } from "./quality/results.ts";
import { openTorch, type TorchOptions } from "./quality/torch.ts";
import { machineName } from "./quality/machine.ts";

async function main(args: QualityArguments): Promise<void> {
  const { config, objective } = args;
  const { whiten, whiten_alpha } = config.evaluation;
  const alpha = whiten ? whiten_alpha : undefined;
  checkComparable(config, objective);
  const results = await openResults(args.out);
  const progress = new Progress();

  // Adapter, pictures, model: as `deno task train` has them.
  await ensureAdapter();
  const gpu = await openGpu({ limits: config.device.limits });
  const files = new SideFiles(args.out, { say: (message) => progress.say(message) });
  const dataset = await openDataset(datasetOptionsOf(config));
  const judged = args.judge
    ? await openDataset({ ...datasetOptionsOf(config), dataset: args.judge, split: "all" })
    : dataset;
  const test = args.judge ? undefined : await openTest(config);
  const kernels = await chooseKernels(gpu, { config, progress });
  await files.put("kernels.json", JSON.stringify(kernels, null, 2) + "\n");
  const loader = loaderOf(dataset, config);
  const { stepsPerEpoch } = loader;
  const epochs = Math.min(args.epochs ?? Infinity, config.training.num_epochs);
  const total = Math.min(epochs * stepsPerEpoch, config.training.max_steps ?? Infinity);
  const model = modelOf(config);
  const weights = initialize(model.specs(), config.training.seed);

  // All pictures once as images of the model's size, for PyTorch; and pixels as the baseline.
  const options = { ...evaluationOptionsOf(config), test, alpha };
  const encode = (encoders: Encoder[]) => encodeSides(gpu, judged, encoders, options);
  const size = model.backbone.imageSize;
  const imageEncoder: Encoder = {
    ...pixelEncoder(config.model.in_chans),
    name: "images",
    size,
    imageBytes: 4 * config.model.in_chans * size ** 2,
  };
  progress.show("preparing the pictures of the evaluations", true);
  const [images, pixels] = await encode([imageEncoder, pixelEncoder(config.model.in_chans)]);
  const { figures: baseline } = await judge(gpu, { sides: pixels }, "raw pixels", options);

  // The crops of a batch, recorded once; everybody's step.
  const feed = new Feed(gpu, loader, feedOptionsOf(config));
  const cropping = await record(gpu, () => feed.views());
  const contestants: Contestant[] = [];
  const ours = (name: string, seed: number) =>
    openHatchling(gpu, {
      name,
      config,
      model,
      seed,
      crops: cropping.outputs,
      encodeWith: async (encoder) => (await encode([encoder]))[0],
    });
  const theirs = async (name: string, dtype: TorchOptions["dtype"]) => {
    const { threads } = args;
    const shared = { config, objective, threads, stepsPerEpoch, model, weights, images, alpha };
    const { contestant, versions } = await openTorch({ ...shared, name, dtype });
    contestants.push(contestant);
    return versions;
  };
  try {
    if (!objective) contestants.push(await ours("Hatchling", config.training.seed));
    const torch = objective ? `PyTorch ${objective}` : "PyTorch";
    const versions = await theirs(torch, "float32");
    if (args.float64) await theirs(`${torch} float64`, "float64");
    for (const seed of args.seeds) {
      contestants.push(await ours(`Hatchling seed ${seed}`, seed));
    }
    await results.begin({
      kind: "setup",
      command: `deno task bench:quality ${Deno.args.join(" ")}`,
      adapter: gpu.info.description,
      machine: await machineName(),
      deno: Deno.version.deno,
      torch: `${versions.torch}, NumPy ${versions.numpy}`,
      threads: args.threads,
      data: `${dataset.length} pictures from ${dataset.name}` +
        (judged === dataset ? "" : `, judged on ${judged.length} from ${judged.name}`),
      feature: config.evaluation.feature!,
      steps: total,
      stepsPerEpoch,
      names: contestants.map(({ name }) => name),
      baseline,
    });

    const evaluate = async (step: number) => {
      const figures: Figure[] = [];
      const distance: (number | null)[] = [];
      let crossCheck = 0;
      let first: ReadonlyMap<string, Float32Array> | undefined;
      for (const contestant of contestants) {
        progress.show(`evaluating: ${contestant.name}`);
        const found = await judge(gpu, await contestant.encode(), contestant.name, options);
        figures.push(...found.figures);
        crossCheck = Math.max(crossCheck, found.apart);
        const now = await contestant.weights();
        first ??= now;
        if (!contestant.sameStart) distance.push(null);
        else distance.push(step === 0 ? 0 : relativeDistance(first, now, weights));
      }
      await results.add({ kind: "evaluation", step, figures, crossCheck, distance });
      await results.sumUp();
    };

    // In turns, so that nobody disturbs another.
    await evaluate(0);
    const valuesOf = scheduleOf(config, stepsPerEpoch);
    const started = performance.now();
    for (let step = 0; step < total; step++) {
      await feed.microBatch(step, 0);
      const start = performance.now();
      cropping.run();
      const crops: Crops = {
        tensors: cropping.outputs,
        values: await gpu.read(cropping.outputs),
      };
      const cropsMs = performance.now() - start;
      const values = valuesOf(step);
      const found = [];
      for (const contestant of contestants) found.push(await contestant.step(values, crops));
      await results.add({
        kind: "step",
        step,
        loss: found.map(({ loss }) => loss),
        teacherEntropy: found.map(({ teacherEntropy = null }) => teacherEntropy),
        contrastive: found.map(({ contrastive = null }) => contrastive),
        ms: found.map(({ ms }) => ms),
        cropsMs,
      });
      const done = step + 1;
      const seconds = (performance.now() - started) / 1000;
      progress.show(
        `step ${done}/${total}  loss ` + found.map(({ loss }) => loss.toFixed(4)).join(" / ") +
          `  ETA ${clock((total - done) * seconds / done)}`,
        done === total,
      );
      const ends = done % stepsPerEpoch === 0 && done / stepsPerEpoch % args.every === 0;
      if (ends || done === total) await evaluate(done);
    }
    for (const { name, weights } of contestants) {
      const values = await weights();
      const tensors = new Map(
        model.specs().map(({ name, shape }) => {
          return [name, float32Tensor(values.get(name)!, shape)];
        }),
      );
      await writeFileAtomic(join(args.out, `${name}.safetensors`), serializeSafetensors(tensors));
    }
  } finally {
    progress.end();
    for (const contestant of contestants) await contestant.close();
    loader.close();
    for (const set of new Set([dataset, judged, test])) set?.close?.();
  }
  console.log(`\n${reportText(await results.sumUp())}\n\nresults: ${args.out}`);
  for (const part of [cropping, feed, gpu]) part.destroy();
}

try {
  const args = await readQualityArguments(Deno.args);
  if ("report" in args) {
    const { setup, lines } = await readResults(args.report);
    console.log(reportText(await writeSummary(args.report, setup, lines)));
  } else await main(args);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
