/**
 * What the teacher looks at while it trains: its attention on the same few pictures, from the start to the end.
 *
 * @module
 */
import { join } from "node:path";
import type { Picture } from "../../lib/data/image.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { DeviceError, HatchlingError } from "../../lib/errors.ts";
import { attentionMaps, lookAt } from "../../lib/eval/attention.ts";
import { transformerOf, VisionTransformer } from "../../lib/model.ts";
import { soundPicture, spreadIndices } from "../../lib/from_config/pictures.ts";
import { pngOf } from "../../lib/draw/canvas.ts";
import { drawn } from "../../lib/draw/attention.ts";
import { type Framed, framed } from "../../lib/draw/frame.ts";
import { contactSheet } from "../../lib/draw/contact_sheet.ts";
import {
  listSnapshots,
  SAMPLE_FILES,
  SNAPSHOT_FOLDER,
  SNAPSHOT_HEADS,
  SNAPSHOT_PICTURES,
  snapshotName,
} from "../../lib/run/left.ts";
import { snapshotRow } from "../../lib/run/png.ts";
import { leaveAugmentation } from "../../lib/report/samples.ts";
import type { Prepared } from "./run.ts";

/** Pictures, and the side of each in a PNG. */
const PICTURES = 6, SIDE = 96;

/** Distance of two levels of a PNG; divides 255, so that white stays white. */
const LEVEL = 15;

/** Heads that are drawn one by one, at most. */
const MOST_HEADS = 8;

/** Patches across that are worth looking at: where training has fewer, pictures are enlarged. */
const FEWEST_PATCHES = 12;

/** Moments without evaluations, and most with them. */
const MOMENTS = 8, MOST_MOMENTS = 24;

/** How attention is drawn. */
const LOOK = { map: "inferno", alpha: 0.85, smooth: true } as const;

/** Draws attention at some moments of a run. Whatever goes wrong is a warning, said once: the run goes on. */
export class Snapshots {
  readonly #run: Prepared;
  readonly #moments: ReadonlySet<number>;
  #pictures?: Framed[];
  #warned = false;
  /** A device that has failed here once may fail here again: nothing is drawn any more in this process. */
  static #off = false;

  private constructor(run: Prepared) {
    this.#run = run;
    this.#moments = momentsOf(run);
  }

  /**
   * Goes on after the steps that are done: later snapshots are deleted. A run that begins is drawn at once, and some
   * of its augmented views are kept for the report.
   */
  static async open(run: Prepared): Promise<Snapshots> {
    const snapshots = new Snapshots(run), { gpu, guard, files, config, pictures, step } = run;
    await snapshots.#try(() => snapshots.#dropAfter(step));
    if (!guard.stop) {
      const { dataset } = pictures;
      await snapshots.#try(() => leaveAugmentation(gpu, step === 0, { files, config, dataset }));
    }
    if (step === 0) await snapshots.take(0);
    else await snapshots.#try(() => snapshots.#rehearse());
    return snapshots;
  }

  /** Whether attention is drawn after so many steps. */
  due(step: number): boolean {
    return this.#moments.has(step) || step === this.#run.total; // which a budget may move
  }

  /** Draws attention after so many steps. Frees what it allocates. */
  async take(step: number): Promise<void> {
    await this.#try(async () => {
      await this.#dropAfter(step);
      await this.#take(step);
    });
  }

  /**
   * Draws for nobody. On lavapipe (Mesa 22.3.6) a process that went on with a run of MNIST grew by 2.8 MB a step
   * until it had made such a pass, and was level from then on: measured, not understood.
   */
  async #rehearse(): Promise<void> {
    const pictures = this.#pictures ??= await this.#load();
    for (const picture of pictures) {
      if (this.#run.guard.stop) return;
      await this.#look(picture);
    }
  }

  async #take(step: number): Promise<void> {
    const { files, guard, total } = this.#run;
    const pictures = this.#pictures ??= await this.#load();
    if (!pictures.length) return;
    const seen: Picture[][] = []; // of each picture the mean, then every head
    for (const picture of pictures) {
      if (guard.stop) return;
      seen.push(await this.#look(picture));
    }
    const write = (name: string, picture: Picture) =>
      files.put(`${SNAPSHOT_FOLDER}/${name}`, pngOf(coarse(picture)));
    const shown = pictures.map(({ shown }) => tile(shown));
    if (step === 0 || !await exists(join(files.folder, SNAPSHOT_FOLDER, SNAPSHOT_PICTURES))) {
      await write(SNAPSHOT_PICTURES, snapshotRow(shown));
    }
    if (step === total) {
      const rows = seen.map((maps, i) => {
        const cells = maps.slice(0, 1 + MOST_HEADS).map((picture, h) => ({
          picture,
          label: h ? `head ${h}` : "mean",
        }));
        return { cells: [{ picture: shown[i] }, ...cells] };
      });
      await write(SNAPSHOT_HEADS, contactSheet(rows, SIDE));
    }
    await write(snapshotName(step), snapshotRow(seen.map(([mean]) => mean)));
  }

  async #look({ shown, input }: Framed): Promise<Picture[]> {
    const { gpu, model, trainer } = this.#run;
    const vit = transformerOf(model.backbone, "pictures of attention"), { heads } = vit.config;
    if (!vit.hasClass) throw new HatchlingError("the model has no class token that attends");
    const { width, height, channels = 3 } = shown;
    const images = gpu.tensor(input, [1, channels, height, width]);
    try {
      const looked = await lookAt(gpu, vit, trainer.evaluated, images);
      const base = tile(shown);
      return attentionMaps(looked, heads).map((map) => drawn(base, map, looked.grid, LOOK).picture);
    } finally {
      images.destroy();
    }
  }

  /** The pictures: the same ones in every part of a run. */
  async #load(): Promise<Framed[]> {
    const { config, model, pictures: { dataset }, progress } = this.#run;
    if (!(model.backbone instanceof VisionTransformer)) {
      progress.say(`attention is not drawn: ${model.backbone.kind} has none`);
      return [];
    }
    const { imageSize, sizeMultiple: patch } = model.backbone;
    const size = Math.max(imageSize, FEWEST_PATCHES * patch);
    const found: Framed[] = [];
    for (const i of spreadIndices(dataset.length, PICTURES)) {
      const picture = await soundPicture(dataset, i);
      if (picture) found.push(framed(picture, { size, patch, whole: false }, config));
    }
    return found;
  }

  /** Deletes what a run that goes on after `step` steps will draw again. */
  async #dropAfter(step: number): Promise<void> {
    const { files, total } = this.#run;
    const later = (await listSnapshots(files.folder)).filter((snapshot) => snapshot.step > step);
    const names = later.map(({ step }) => `${SNAPSHOT_FOLDER}/${snapshotName(step)}`);
    if (step < total) names.push(`${SNAPSHOT_FOLDER}/${SNAPSHOT_HEADS}`, SAMPLE_FILES.neighbors);
    for (const name of names) await files.remove(name);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    if (Snapshots.#off) return;
    try {
      await work();
    } catch (error) {
      if (error instanceof DeviceError) Snapshots.#off = true;
      if (this.#warned) return;
      this.#warned = true;
      const { message } = error as Error;
      this.#run.progress.say(`warning: attention is not drawn: ${message}; training goes on`);
    }
  }
}

/** The steps after which attention is drawn: with each evaluation, else ever more seldom; at the end. */
export function momentsOf(
  { config, total, stepsPerEpoch }: Pick<Prepared, "config" | "total" | "stepsPerEpoch">,
): Set<number> {
  const { every_n_epochs: every } = config.evaluation;
  if (every === null) {
    const steps = Array.from({ length: MOMENTS - 1 }, (_, i) => Math.round(total / 2 ** i));
    return new Set(steps.filter((step) => step > 0).reverse());
  }
  const gap = every * stepsPerEpoch;
  const evaluations = Math.floor((total - 1) / gap);
  const stride = Math.ceil(evaluations / (MOST_MOMENTS - 1)) || 1;
  const steps = Array.from(
    { length: Math.floor(evaluations / stride) },
    (_, i) => (i + 1) * stride * gap,
  );
  return new Set([...steps, total]);
}

function tile({ width, height, data, ...rest }: Picture): Picture {
  const first = data.subarray(0, 4 * width * height);
  return resizeBicubic({ ...rest, width, height, channels: 3, data: first }, SIDE, SIDE);
}

/** Fewer levels, which are not missed in small pictures: a smaller file. */
function coarse({ data, ...rest }: Picture): Picture {
  return { ...rest, data: data.map((value) => LEVEL * Math.round(value / LEVEL)) };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
