/**
 * The worker of the page: all work for the GPU, and all decoding.
 *
 * @module
 */
import "./scope.ts";
import { configureZod } from "../../../lib/config/deps.ts";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { soundPicture, spreadIndices } from "../../../lib/data/some.ts";
import { renderEpochs } from "../../../lib/draw/render_views.ts";
import { drawn } from "../../../lib/draw/attention.ts";
import { framed } from "../../../lib/draw/frame.ts";
import { HatchlingError } from "../../../lib/errors.ts";
import { lookAt } from "../../../lib/eval/attention.ts";
import { augmentationOf } from "../../../lib/from_config.ts";
import { type Gpu, openGpu } from "../../../lib/gpu.ts";
import type { PictureModel } from "../../../lib/load.ts";
import { resizeBicubic } from "../../../lib/data/resample.ts";
import { transformerOf, VisionTransformer } from "../../../lib/model.ts";
import type { AddedPicture, Calls, Events, GivenFile, Speed } from "../protocol.ts";
import { type Port, serve } from "../rpc.ts";
import { openEmoji } from "./emoji.ts";
import { nameOf } from "./kernels.ts";
import { Looker } from "./look.ts";
import { factsOf, loadFiles, modelOfRun } from "./model.ts";
import { bitmapOf, pictureOf, Pictures } from "./pictures.ts";
import { TabRun } from "./training.ts";
import { Turns } from "./turns.ts";

// The page's policy allows no code from text, which the checker of configurations would try.
configureZod({ jitless: true });

/** Milliseconds that a slow run rests after each step, as a multiple of the step. */
const REST = 3;

/** Milliseconds of a submission at most: the page is drawn by the same GPU. */
const MAX_SUBMIT_MS = 30;

/** Patches across that are worth looking at, and side of a picture that is drawn. */
const FEWEST_PATCHES = 12, SIDE = 192;

/** The colours of attention. */
const COLORS = { map: "inferno", alpha: 0.85, smooth: true } as const;

const port = globalThis as unknown as Port;
const turns = new Turns(), pictures = new Pictures();
let opened: Gpu | undefined, looker: Looker | undefined;
let run: TabRun | undefined, emoji: Promise<Dataset> | undefined;
let speed: Speed = "pause", going = false;

const tell = <K extends keyof Events>(event: K, data: Events[K]) =>
  port.postMessage({ event, data }, []);
const progress = (what: string, done: number, total: number) =>
  tell("progress", { what, done, total });

const gpu = (): Gpu => opened ?? missing("an open GPU", "allow WebGPU");
const theModel = () => looker ?? missing("a model", "load weights, or train some");
const theRun = (): TabRun => run ?? missing("a run", "begin one");

function missing(what: string, remedy: string): never {
  throw new HatchlingError(`Expected ${what} but there is none yet: ${remedy}`);
}

/** Lets another model look. */
function setModel(model: PictureModel, notes: string[] = []) {
  looker?.model.close();
  looker = new Looker(model, pictures, progress);
  return factsOf(model, notes);
}

const emojiSet = () =>
  emoji ??= openEmoji().catch((error) => {
    emoji = undefined; // the next call tries again
    throw error;
  });

/** Takes in some pictures, one after the other. */
async function addAll<T extends { name: string }>(
  given: readonly T[],
  add: (one: T) => Promise<AddedPicture>,
) {
  const added: AddedPicture[] = [], skipped: { name: string; reason: string }[] = [];
  for (const [i, one] of given.entries()) {
    try {
      added.push(await add(one));
    } catch (error) {
      skipped.push({ name: one.name, reason: (error as Error).message });
    }
    progress("pictures", i + 1, given.length);
  }
  return { pictures: added, skipped };
}

/** Trains until told otherwise; whatever else is asked for comes between two steps. */
async function trainOn(): Promise<void> {
  if (going) return;
  going = true;
  try {
    while (run && speed !== "pause") {
      if (run.isOver) {
        speed = "pause";
        tell("ended", {});
        break;
      }
      const news = await turns.take(async () => run && speed !== "pause" && await run.next());
      if (!news) break;
      tell("step", news);
      // A macrotask, so that messages are heard.
      const rest = speed === "slow" ? REST * news.ms : 0;
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
  } catch (error) {
    speed = "pause";
    tell("ended", { why: (error as Error).message });
  } finally {
    going = false;
  }
}

/** The teacher's attention over pictures of the set. */
async function watched(shown: number): Promise<ImageBitmap[]> {
  const { config, dataset, trainer } = theRun();
  const { backbone } = trainer.model;
  if (!(backbone instanceof VisionTransformer) || !backbone.hasClass) return [];
  const vit = transformerOf(backbone, "pictures of attention");
  const { patchSize: patch, heads, imageSize } = vit.config;
  const size = Math.max(imageSize, FEWEST_PATCHES * patch);
  const maps: ImageBitmap[] = [];
  for (const index of spreadIndices(dataset.length, Math.min(shown, dataset.length))) {
    const picture = await soundPicture(dataset, index);
    if (!picture) continue;
    const { shown, input } = framed(picture, { size, patch, whole: false }, config);
    const images = gpu().tensor(input, [1, shown.channels ?? 3, size, size]);
    const { attention, grid } = await lookAt(gpu(), vit, trainer.evaluated, images);
    images.destroy();
    const tokens = 1 + grid[0] * grid[1], mean = new Float64Array(tokens - 1);
    for (let h = 0; h < heads; h++) {
      for (let i = 1; i < tokens; i++) mean[i - 1] += attention[h * tokens + i] / heads;
    }
    const base = resizeBicubic(shown, SIDE, SIDE);
    maps.push(await bitmapOf(drawn(base, mean, grid, COLORS).picture));
  }
  return maps;
}

const calls: Calls = {
  async open() {
    if (!navigator.gpu) throw new HatchlingError("This browser offers no WebGPU here.");
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) {
      throw new HatchlingError("This browser has WebGPU, but no GPU that it lets it use.");
    }
    opened ??= await openGpu({ adapter, maxSubmitMs: MAX_SUBMIT_MS });
    opened.device.lost.then(({ reason, message }) => {
      if (reason !== "destroyed") tell("lost", { why: message || "the browser took it back" });
    });
    return { name: nameOf(opened), software: opened.isSoftware };
  },
  async load(files) {
    const { model, notes } = await loadFiles(gpu(), files);
    return setModel(model, notes);
  },
  add: (files) => addAll(files, (file: GivenFile) => pictures.addFile(file)),
  async addEmoji(count) {
    const set = await emojiSet();
    const some = spreadIndices(set.length, Math.min(count, set.length));
    return await addAll(
      some.map((i) => ({ name: set.id(i), i })),
      async ({ name, i }) => {
        return await pictures.add({ name, picture: await set.picture(i) });
      },
    );
  },
  async addPixels(name, width, height, data) {
    return await addAll(
      [{ name }],
      () => pictures.add({ name, picture: pictureOf(width, height, new Uint8Array(data)) }),
    );
  },
  async clear() {
    pictures.clear();
    looker?.forget();
    await Promise.resolve();
  },
  look: (index, patches) => theModel().look(pictures.get(index), patches),
  lookAtPixels(width, height, data, patches) {
    const picture = pictureOf(width, height, new Uint8Array(data));
    return theModel().look({ name: "camera", picture }, patches);
  },
  async features(indices) {
    return await theModel().features(indices);
  },
  neighbors: (index, k) => theModel().neighbors(index, k),
  map: () => theModel().map(),
  async train({ config: yaml, on, checkpoint }) {
    await calls.end();
    const file = checkpoint && {
      name: checkpoint.name,
      bytes: new Uint8Array(await checkpoint.file.arrayBuffer()),
    };
    const code = { version: CODE.version, ...CODE.commit && { commit: CODE.commit } };
    run = await TabRun.begin(gpu(), {
      ...{ yaml, checkpoint: file, code },
      path: on === "emoji" ? undefined : pictures.path,
      pictures: async ({ data: { path, max_pixels }, model: { in_chans } }) => {
        if (path === null) return await emojiSet();
        return await pictures.folder({ maxPixels: max_pixels, channels: in_chans });
      },
    });
    return run.facts();
  },
  async speed(next) {
    speed = next;
    if (next !== "pause") void trainOn();
    await Promise.resolve();
  },
  async views(count) {
    const { config, dataset } = theRun();
    const rows: ImageBitmap[][] = [];
    for (const image of spreadIndices(dataset.length, Math.min(count, dataset.length))) {
      const picture = await soundPicture(dataset, image);
      if (!picture) continue;
      const address = { seed: config.training.seed, image, epochs: 1 };
      const [views] = await renderEpochs(gpu(), augmentationOf(config), picture, address);
      rows.push(
        await Promise.all([picture, ...views.map(({ picture }) => picture)].map(bitmapOf)),
      );
    }
    return rows;
  },
  watch: watched,
  checkpoint: () => theRun().checkpoint(),
  export: () => theRun().weights(),
  adopt: async () => setModel(await modelOfRun(gpu(), theRun())),
  async end() {
    speed = "pause";
    const old = run;
    run = undefined;
    old?.destroy();
    await Promise.resolve();
  },
};

/** What the build has put in: version and commit. */
declare const CODE: { version: string; commit?: string };

serve(port, calls, (work) => turns.take(work));
