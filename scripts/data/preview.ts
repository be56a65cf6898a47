/**
 * `deno task data preview`: a page that shows pictures and all of their views.
 *
 * @module
 */
import { dirname } from "node:path";
import { openDevice } from "../../lib/adapter.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import type { Picture } from "../../lib/data/image.ts";
import { reduceTo } from "../../lib/data/resample.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { shown } from "../../lib/text.ts";
import { Progress } from "../common/progress.ts";
import { augmentationOf, gpuOptionsOf } from "../../lib/from_config.ts";
import { AtomicFile } from "../../lib/io/atomic_file.ts";
import { claimOutputs, isPage, makeFolder } from "../common/outputs.ts";
import { print } from "../common/terminal.ts";
import { PREVIEW, type PreviewArguments } from "./arguments.ts";
import { openConfigured, soundPicture, spreadIndices } from "../../lib/from_config/pictures.ts";
import { pageOf, PREVIEW_MAKER, type ShownPicture } from "./page.ts";
import { resolveConfig } from "../common/resolve.ts";
import { dataUris } from "../../lib/draw/data_uri.ts";
import { renderEpochs } from "../../lib/draw/render_views.ts";
import { bytes, count, many } from "../../lib/words.ts";

/** An original is embedded with at most this many pixels: it is shown small. */
const SHOWN_PIXELS = 480 * 480;

/** Said where the page cannot be written. */
const REMEDY = "choose another --out";

/** Writes the page, and says where it is. */
export async function preview(args: PreviewArguments): Promise<void> {
  const { out = PREVIEW } = args, progress = new Progress();
  claimOutputs([{ path: out, own: isPage(PREVIEW_MAKER) }], {
    inputs: [args.file, args.config.data.path],
    overwrite: args.overwrite,
    remedy: REMEDY,
  });
  if (args.out === undefined) makeFolder(dirname(out), REMEDY);
  AtomicFile.open(out).discard(); // what cannot be written is known before any work
  const dataset = await openConfigured(args.config, progress);
  let gpu: Gpu | undefined;
  try {
    const indices = await soundIndices(dataset, args.images);
    gpu = await openDevice(gpuOptionsOf(args.config));
    const { config, choices } = await resolveConfig(args, { gpu, dataset, progress });
    const options = augmentationOf(config);
    const pictures: ShownPicture[] = [];
    const { seed } = config.training, { epochs } = args;
    for (const [i, picture] of indices) {
      progress.show(`making views of picture ${pictures.length + 1} of ${indices.size}`);
      const address = { seed, image: i, epochs };
      pictures.push({
        id: dataset.id(i),
        index: i,
        width: picture.width,
        height: picture.height,
        original: dataUris(reduceTo(picture, SHOWN_PIXELS)),
        epochs: (await renderEpochs(gpu, options, picture, address)).map((views) =>
          views.map(({ parameters, picture }) => ({ parameters, images: dataUris(picture) }))
        ),
      });
    }
    progress.end();
    const page = pageOf({
      dataset: dataset.name,
      length: dataset.length,
      config: args.file ?? "defaults",
      seed,
      adapter: gpu.info.description,
      options,
      choices,
      pictures,
    });
    const file = new TextEncoder().encode(page);
    await writeFileAtomic(out, file);
    const views = options.nGlobalCrops + options.numLocalViews;
    print(
      `${shown(out)}: ${many(pictures.length, "picture")}, ${many(epochs, "epoch")}, ${
        count(views)
      } views of ` +
        `each (${bytes(file.length)})`,
    );
  } finally {
    dataset.close?.();
    gpu?.destroy();
  }
}

/** Pictures spread over a data set; where one is damaged, the next sound one that is not there yet. */
async function soundIndices(
  dataset: Dataset,
  images: number,
): Promise<Map<number, Picture>> {
  const found = new Map<number, Picture>();
  for (const first of spreadIndices(dataset.length, images)) {
    for (let tried = 0; tried < dataset.length; tried++) {
      const i = (first + tried) % dataset.length;
      if (found.has(i)) continue;
      const picture = await soundPicture(dataset, i);
      if (!picture) continue;
      found.set(i, picture);
      break;
    }
  }
  if (found.size > 0) return new Map([...found].sort(([a], [b]) => a - b));
  throw new HatchlingError(
    `Expected at least one sound picture in ${
      shown(dataset.name)
    } but all ${dataset.length} are damaged: ` +
      `"deno task data check" tells why`,
  );
}
