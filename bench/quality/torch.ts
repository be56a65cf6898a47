/**
 * PyTorch's side.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { EncodedPictures } from "../../lib/eval/encode.ts";
import { l2Normalize } from "../../lib/eval/features.ts";
import { classesOf, type Sides } from "../../lib/eval/sides.ts";
import type { DinoModel } from "../../lib/model.ts";
import type { StepValues } from "../../lib/train.ts";
import type { Contestant, Encoded } from "./contestant.ts";
import { TorchProcess, type TorchVersions } from "./python.ts";
import { vendorsOf } from "./vendors.ts";

/** Numbers sent at once. */
const BLOCK = 2 ** 24;

/** Largest relative difference of a schedule's values: they come from float64 formulas on both sides. */
const SCHEDULE_TOLERANCE = 1e-9;

/** What it starts from. */
export interface TorchOptions {
  /** Its name in tables. */
  name: string;
  /** Numbers that it reckons with. */
  dtype: "float32" | "float64";
  /** Its threads. */
  threads: number;
  /** The recipe. */
  config: Config;
  /** Steps of an epoch: its schedules follow from them. */
  stepsPerEpoch: number;
  /** The model. */
  model: DinoModel;
  /** The initial weights. */
  weights: ReadonlyMap<string, Float32Array>;
  /** An objective that it alone has, in the place of the recipe's. */
  objective?: "simdino";
  /** The shrinkage of whitened features, where there are figures of them. */
  alpha?: number;
  /** All pictures as images [n, C·S·S] of the model's size, not normalised to length 1. */
  images: Sides;
}

/** Its answer to a step. */
interface StepAnswer {
  loss: number;
  teacher_entropy?: number;
  contrastive?: number;
  ms: number;
  lr: number;
  wd: number;
  momentum: number;
  teacher_temp: number;
}

/** Starts it, and sends weights and pictures. */
export async function openTorch(
  options: TorchOptions,
): Promise<{ contestant: Contestant; versions: TorchVersions }> {
  const { name, dtype, threads, config, objective, stepsPerEpoch, model, weights, images } =
    options;
  const { torch, versions } = await TorchProcess.start(threads);
  try {
    const params = model.specs().map(({ name, shape }) => ({ name, shape }));
    const values = params.map((p) => weights.get(p.name)!);
    const start = {
      op: "start",
      config,
      objective,
      steps_per_epoch: stepsPerEpoch,
      threads,
      dtype,
      params,
    };
    await torch.ask(start, values);
    await sendPictures(torch, images, model);
    const { gallery, test } = images;
    const kinds = classesOf(images, () => {}).map(({ kind, gallery, judged }) => ({
      kind,
      gallery: [...gallery],
      judged: [...judged],
    }));
    await torch.ask({ op: "labels", kinds, ...vendorsOf(images) });

    const views = [config.augmentation.n_global_crops, config.augmentation.num_local_views]
      .filter((n) => n > 0);
    const contestant: Contestant = {
      name,
      sameStart: true,
      async step(values, crops) {
        const shapes = crops.tensors.map(({ shape }) => shape);
        const message = { op: "step", step: values.step, views, shapes };
        const { message: found } = await torch.ask<StepAnswer>(message, crops.values);
        checkSchedules(values, found);
        const { loss, teacher_entropy: teacherEntropy, contrastive, ms } = found;
        return { loss, teacherEntropy, contrastive, ms };
      },
      async encode() {
        const { knn_k, knn_temperature, feature, last_blocks, combine_blocks } = config.evaluation;
        const answer = await torch.ask<{
          shapes: Record<string, number[]>;
          figures: NonNullable<Encoded["own"]>;
        }>({
          op: "evaluate",
          readout: { feature, last_blocks, combine_blocks },
          alpha: options.alpha ?? null,
          knn_k,
          knn_temperature,
        });
        const parts = new Map<string, { data: Float32Array; shape: number[] }>();
        let at = 0;
        for (const [set, shape] of Object.entries(answer.message.shapes)) {
          const size = shape[0] * shape[1];
          parts.set(set, { data: answer.values.subarray(at, at += size), shape });
        }
        const views = parts.get("views");
        const encode = (set: string, indices: number[], views?: Raw): EncodedPictures => {
          const whole = parts.get(set)!;
          return {
            indices,
            whole: unit(whole),
            views: views && unit(views),
            raw: { whole, views },
          };
        };
        const sides: Sides = {
          gallery: {
            dataset: gallery.dataset,
            encoded: encode("gallery", gallery.encoded.indices, test ? undefined : views),
          },
          test: test && {
            dataset: test.dataset,
            encoded: encode("test", test.encoded.indices, views),
          },
        };
        return { sides, own: answer.message.figures };
      },
      async weights() {
        const { values } = await torch.ask({ op: "weights" });
        let at = 0;
        return new Map(
          model.specs().map(({ name, shape }) => {
            const size = shape.reduce((a, b) => a * b, 1);
            return [name, values.subarray(at, at += size)];
          }),
        );
      },
      close: () => torch.close(),
    };
    return { contestant, versions };
  } catch (error) {
    await torch.close();
    throw error;
  }
}

type Raw = EncodedPictures["raw"]["whole"];

const unit = ({ data, shape }: Raw): Raw => ({ data: l2Normalize(data, shape[1]), shape });

async function sendPictures(torch: TorchProcess, images: Sides, model: DinoModel): Promise<void> {
  const { imageSize, inChans } = model.backbone;
  const send = async (set: string, { data, shape: [rows, width] }: Raw) => {
    const step = Math.max(1, Math.floor(BLOCK / width));
    for (let from = 0; from < rows; from += step) {
      const to = Math.min(rows, from + step);
      const shape = [to - from, inChans, imageSize, imageSize];
      await torch.ask({ op: "pictures", set, shape }, [data.subarray(from * width, to * width)]);
    }
  };
  const { gallery, test } = images;
  await send("gallery", gallery.encoded.raw.whole);
  if (test) await send("test", test.encoded.raw.whole);
  const views = (test ?? gallery).encoded.raw.views;
  if (views) await send("views", views);
}

/**
 * Compares the values of a step's schedules: each side works them out by itself.
 *
 * @throws {HatchlingError} When they differ by more than float64's rounding.
 */
export function checkSchedules(
  ours: StepValues,
  theirs: Pick<StepAnswer, "lr" | "wd" | "momentum" | "teacher_temp">,
): void {
  const pairs: [string, number, number][] = [
    ["learning rate", ours.lr, theirs.lr],
    ["weight decay", ours.weightDecay, theirs.wd],
    ["teacher momentum", ours.momentum, theirs.momentum],
    ["teacher temperature", ours.teacherTemp, theirs.teacher_temp],
  ];
  for (const [what, a, b] of pairs) {
    if (Math.abs(a - b) <= SCHEDULE_TOLERANCE * Math.max(Math.abs(a), Math.abs(b))) continue;
    throw new HatchlingError(
      `Expected PyTorch's ${what} of step ${ours.step} to be ${a} but found ${b}: the schedules differ`,
    );
  }
}
