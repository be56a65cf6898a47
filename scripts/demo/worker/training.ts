/**
 * A run in the tab: the trainer, the random numbers and the checkpoints that Deno has.
 *
 * @module
 */
import { type Config, type Override, parseConfig, stringifyConfig } from "../../../lib/config.ts";
import { runWarnings } from "../../../lib/config/warnings.ts";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { datasetFingerprint } from "../../../lib/data/fingerprint.ts";
import type { Loader } from "../../../lib/data/loader.ts";
import { DamagedFileError, HatchlingError } from "../../../lib/errors.ts";
import {
  feedOptionsOf,
  loaderOf,
  modelOf,
  networkOf,
  trainerOptionsOf,
} from "../../../lib/from_config.ts";
import type { Gpu } from "../../../lib/gpu.ts";
import {
  checkpointName,
  type CheckpointState,
  decodeCheckpoint,
  encodeCheckpoint,
} from "../../../lib/io/checkpoint_format.ts";
import { weightTensors } from "../../../lib/io/parameters.ts";
import { serializeSafetensors } from "../../../lib/io/safetensors.ts";
import { initialize } from "../../../lib/model.ts";
import { Feed, type RecordedStep, recordStep, Trainer } from "../../../lib/train.ts";
import { restoreState, saveState } from "../../../lib/train/state.ts";
import { shortRun } from "../../../lib/preset/length.ts";
import { many } from "../../../lib/words.ts";
import { type Length, lengthOf, type Paced } from "../../../lib/from_config/length.ts";
import { observe } from "../../../lib/train/observe.ts";
import type { RunFacts, StepNews } from "../protocol.ts";
import type { KernelRecord } from "../../common/kernels.ts";
import { chooseKernels } from "./kernels.ts";

/** A file in memory. */
export interface MadeFile {
  /** Its name. */
  name: string;
  /** Its contents. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** Where the pictures are, whatever the recipe says: the emoji, or a folder. */
function placeOf(path: string | undefined): Override[] {
  return [
    { key: "data.dataset", value: path === undefined ? "emoji" : "folder" },
    { key: "data.path", value: path === undefined ? "null" : JSON.stringify(path) },
  ];
}

/** What a checkpoint holds beside the trainer's state, as a run in Deno reads it. */
interface Extra {
  kernels: KernelRecord;
  code: { version: string; commit?: string };
  data: string;
  skippedSteps: number[];
  pace?: Paced;
}

/** What a run is made of. */
interface Parts extends Length {
  gpu: Gpu;
  config: Config;
  dataset: Dataset;
  loader: Loader;
  trainer: Trainer;
  feed: Feed;
  recorded: RecordedStep;
  extra: Extra;
  step: number;
  notes: string[];
}

/** A run, a step at a time. */
export class TabRun {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Begins a run, or goes on with that of a checkpoint, whose configuration it then has.
   *
   * @param options Its recipe; `path`: how the folder of its pictures is called, where these are not the emoji;
   * `pictures`: gives them, as the configuration says.
   * @throws {HatchlingError} When the configuration is wrong, or the checkpoint of other pictures.
   */
  static async begin(
    gpu: Gpu,
    { yaml, path, checkpoint, code, pictures }: {
      yaml: string;
      path?: string;
      checkpoint?: MadeFile;
      code: Extra["code"];
      pictures: (config: Config) => Promise<Dataset>;
    },
  ): Promise<TabRun> {
    const notes: string[] = [];
    const before = checkpoint && await decodeCheckpoint(checkpoint.bytes, checkpoint.name);
    const recipe = (more: readonly Override[]) =>
      parseConfig(yaml, {
        file: "the recipe",
        overrides: [...placeOf(path), ...more],
      });
    let config = before
      ? parseConfig(JSON.stringify(before.config), { file: checkpoint!.name })
      : recipe([]);
    if (config.training.preset === "auto") {
      throw new HatchlingError(
        "Expected a recipe with numbers but found training.preset auto, which measures the machine: use deno task " +
          "train for that",
      );
    }
    const dataset = await pictures(config);
    const accumulated = config.training.gradient_accumulation_steps;
    const most = Math.floor(dataset.length / accumulated);
    if (!before && config.data.batch_size > most && most > 1) {
      notes.push(
        `data.batch_size ${most}, not ${config.data.batch_size}: there are ${dataset.length} pictures`,
      );
      config = recipe([{ key: "data.batch_size", value: String(most) }]);
    }
    const data = await datasetFingerprint(dataset);
    const then = before?.extra as Partial<Extra> | undefined;
    if (then?.data !== undefined && then.data !== data) {
      throw new HatchlingError(
        "Expected the pictures that the run started with but found others: every picture's place in the order would " +
          "be another one. Add the same folder, with no file more or less, or begin a new run",
      );
    }
    const kernels = await chooseKernels(gpu, config, then?.kernels, notes);
    const loader = loaderOf(dataset, config), model = modelOf(config);
    const trainer = new Trainer(gpu, model, trainerOptionsOf(config, gpu));
    const feed = new Feed(gpu, loader, feedOptionsOf(config));
    try {
      if (before) restoreState(trainer, before);
      else trainer.load(initialize(model.specs(), config.training.seed));
      const recorded = await recordStep(gpu, trainer, feed);
      if (!before) {
        const short = shortRun(config, dataset.length);
        notes.push(...runWarnings(config, loader.stepsPerEpoch), ...short ? [short] : []);
      }
      const skippedSteps = [...then?.skippedSteps ?? []];
      const extra: Extra = { ...then, kernels, code, data, skippedSteps };
      const length = lengthOf(config, loader.stepsPerEpoch, extra.pace);
      const step = before?.step ?? 0;
      const parts = { gpu, config, dataset, loader, trainer, feed, recorded, extra, step, notes };
      return new TabRun({ ...parts, ...length });
    } catch (error) {
      for (const part of [feed, trainer, loader]) part[Symbol.dispose]();
      throw error;
    }
  }

  /** The configuration. */
  get config(): Config {
    return this.#parts.config;
  }

  /** The pictures. */
  get dataset(): Dataset {
    return this.#parts.dataset;
  }

  /** The trainer. */
  get trainer(): Trainer {
    return this.#parts.trainer;
  }

  /** Steps done. */
  get step(): number {
    return this.#parts.step;
  }

  /** Whether all steps are done. */
  get isOver(): boolean {
    return this.#parts.step >= this.#parts.total;
  }

  /** What it is. */
  facts(): RunFacts {
    const { config, dataset, loader, trainer, recorded, total, step, notes } = this.#parts;
    const parameters = trainer.student.all.reduce((sum, { data }) => sum + data.size, 0);
    const { dispatches, flops } = recorded.cost;
    return {
      ...{ total, step, notes },
      stepsPerEpoch: loader.stepsPerEpoch,
      batch: loader.picturesPerStep,
      pictures: dataset.length,
      words:
        `${config.loss.objective === "infonce" ? "InfoNCE" : "DINO"} on ${
          many(dataset.length, "picture")
        } from ${dataset.name}; ${(parameters / 1e6).toFixed(2)} M parameters; a step: ` +
        `${dispatches} dispatches, ${(flops / 1e9).toFixed(1)} GFLOP`,
    };
  }

  /**
   * Does a step, and looks at it.
   *
   * @throws {HatchlingError} When its numbers are not finite: the run is not to go on from there.
   */
  async next(): Promise<StepNews> {
    const parts = this.#parts, { extra, recorded, valuesOf } = parts;
    while (extra.skippedSteps.includes(parts.step)) parts.step++;
    const values = valuesOf(parts.step), start = performance.now();
    await recorded.runParts(values, { replay: (program) => program.runWatched() });
    const seen = await observe(parts.gpu, parts.trainer, recorded, false);
    if (seen.nonFinite) {
      throw new HatchlingError(
        `Expected finite numbers but ${seen.nonFinite.what} held others at step ${seen.nonFinite.step}: go on from ` +
          "an earlier checkpoint, with a lower optimizer.lr",
      );
    }
    parts.step++;
    const figures = Object.fromEntries(
      Object.entries(seen.figures).filter(([, value]) => value !== undefined),
    ) as Record<string, number>;
    return { step: parts.step, figures, lr: values.lr, ms: performance.now() - start };
  }

  /** The checkpoint of the steps that are done: the file that Deno would write. */
  async checkpoint(): Promise<MadeFile> {
    const { config, extra, loader: { stepsPerEpoch }, step, trainer } = this.#parts;
    const { freeze_last_layer: freezeLastLayer } = config.training, { skippedSteps } = extra;
    const place = { step, stepsPerEpoch, freezeLastLayer, skippedSteps };
    const state: CheckpointState = {
      ...await saveState(trainer, place),
      config,
      extra: { ...extra },
    };
    if (![...state.student.values()].every((values) => values.every(Number.isFinite))) {
      throw new DamagedFileError("Expected finite weights but training has failed: not saved");
    }
    return { name: checkpointName(step), bytes: encodeCheckpoint(state) };
  }

  /** The weights of the network that is used. */
  async weights(): Promise<MadeFile & { config: string }> {
    const { config, trainer } = this.#parts;
    const bytes = serializeSafetensors(await weightTensors(trainer.evaluated), { format: "pt" });
    return { name: `${networkOf(config)}.safetensors`, bytes, config: stringifyConfig(config) };
  }

  /** Frees all. */
  destroy(): void {
    const { feed, loader, recorded, trainer } = this.#parts;
    for (const part of [recorded, feed, trainer]) part.destroy();
    loader.close();
  }
}
