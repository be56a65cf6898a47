/**
 * Are features of photographs of any use? `deno task bench:photos cut DIR… --out TILES` makes a labelled test of the
 * large pictures in folders, `deno task bench:photos judge RUN` measures a run that was trained on it, beside the same
 * model untrained, raw pixels and colour histograms.
 *
 * Pictures that everybody can have are those of Debian's packages:
 *
 * ```sh
 * apt-get download desktop-base gnome-backgrounds mate-backgrounds plasma-workspace-wallpapers \
 *   tuxpaint-stamps-default ukui-wallpapers
 * for package in *.deb; do dpkg -x $package pictures; done
 * deno task bench:photos cut pictures --out tiles
 * deno task train configs/photos.yaml --data.path tiles --out runs/photos
 * deno task bench:photos judge runs/photos
 * ```
 *
 * @module
 */
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { ensureAdapter } from "../lib/adapter.ts";
import { openFiles } from "../lib/data/file_dataset.ts";
import { openFolder } from "../lib/data/folder.ts";
import { pngOf } from "../lib/draw/canvas.ts";
import { HatchlingError } from "../lib/errors.ts";
import { pixelEncoder } from "../lib/eval/encoder.ts";
import { featureEncoders } from "../lib/eval/feature_encoder.ts";
import { figureTable } from "../lib/eval/figures.ts";
import { encoderName } from "../lib/eval/readout.ts";
import { readoutOf } from "../lib/from_config.ts";
import { openGpu } from "../lib/gpu.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { type Feature, initialize, Parameters } from "../lib/model.ts";
import { FEATURES } from "../lib/model/feature.ts";
import { loadModel } from "../lib/open_model/load.ts";
import { Progress } from "../scripts/common/progress.ts";
import { print, printJson, runCommand, say } from "../scripts/common/terminal.ts";
import { filesBelow, onePerPicture, PIXELS, tilesOf } from "./photos/cut.ts";
import { histogramEncoder } from "./photos/histogram.ts";
import { judgePhotos } from "./photos/judge.ts";

/** Cuts the pictures of folders into tiles: a folder for each picture. */
async function cut(folders: readonly string[], out: string): Promise<void> {
  const progress = new Progress();
  const files = await Array.fromAsync(all(folders));
  const paths = onePerPicture(files);
  const entries = paths.map((path) => ({ id: path, path }));
  const pictures = await openFiles("the pictures", entries, { maxPixels: PIXELS, cacheBytes: 0 });
  let [scenes, count] = [0, 0];
  try {
    for (let i = 0; i < pictures.length; i++) {
      progress.show(`cutting picture ${i + 1} of ${pictures.length}`);
      const picture = await Promise.resolve(pictures.picture(i)).catch(() => undefined);
      const tiles = picture ? tilesOf(picture) : [];
      if (tiles.length < 2) continue;
      const folder = join(out, String(scenes++).padStart(4, "0"));
      await Deno.mkdir(folder, { recursive: true });
      for (const { row, column, picture } of tiles) {
        await writeFileAtomic(join(folder, `${row}-${column}.png`), pngOf(picture));
        count++;
      }
    }
  } finally {
    pictures.close?.();
  }
  progress.end();
  if (!count) throw new HatchlingError(`Expected pictures of 256 px or more but found none`);
  print(`${count} tiles of ${scenes} pictures (of ${files.length} files) in ${out}`);
}

async function* all(folders: readonly string[]) {
  for (const folder of folders) yield* filesBelow(folder);
}

/** Judges a run. */
async function judge(
  path: string,
  options: { pictures?: string; features?: Feature[]; json?: boolean },
): Promise<void> {
  const progress = new Progress();
  const loaded = await loadModel({ path });
  const { config, model: { backbone } } = loaded;
  const { batch_size: batchSize, whiten_alpha: alpha } = config.evaluation;
  const [mean, std] = [[...config.augmentation.normalize_mean], [
    ...config.augmentation.normalize_std,
  ]];
  const folder = options.pictures ?? config.data.path;
  if (folder === null || config.model.in_chans !== 3) {
    throw new HatchlingError(
      "Expected a run on a folder of colour pictures, or --pictures DIR, but found none",
    );
  }
  const dataset = await openFolder(folder, { maxPixels: config.data.max_pixels });
  if (!dataset.labels) {
    throw new HatchlingError(
      `Expected a sub-folder for each scene in ${folder} but found none: make it with "cut"`,
    );
  }
  await ensureAdapter();
  const gpu = await openGpu({ limits: config.device.limits });
  const readout = readoutOf(config), random = initialize(backbone.specs(), config.training.seed);
  const readouts = (options.features ?? [readout.feature]).map((feature) => ({
    ...readout,
    feature,
  }));
  const networks = [[loaded.name, loaded.weights], ["random init", random]] as const;
  const encoders = networks.flatMap(([name, weights]) => {
    const params = new Parameters(gpu, backbone.specs());
    params.load(weights);
    return featureEncoders(
      gpu,
      backbone,
      params,
      readouts.map((readout) => ({ ...readout, name: encoderName(name, readout) })),
    );
  });
  const figures = await judgePhotos(
    gpu,
    dataset as typeof dataset & Required<Pick<typeof dataset, "labels">>,
    [...encoders, pixelEncoder(), histogramEncoder(gpu, { mean, std })],
    { batchSize, mean, std, whiten: { alpha }, onProgress: (what) => progress.show(what) },
  );
  progress.end();
  const { length } = dataset, scenes = dataset.labels.folder.names.length;
  if (options.json) printJson({ run: loaded.file, pictures: length, scenes, figures });
  else print(`${length} pictures of ${scenes} scenes\n\n${figureTable(figures)}`);
  dataset.close?.();
  gpu.destroy();
}

function featuresOf(list: string): Feature[] {
  return list.split(",").map((text) => {
    const feature = FEATURES.find((feature) => feature === text.trim());
    if (feature) return feature;
    throw new InvalidArgumentError(`Expected ${FEATURES.join(", ")}, separated by commas.`);
  });
}

async function main(): Promise<void> {
  const program = new Command("bench:photos").configureOutput({
    writeOut: (text) => print(text.trimEnd()),
    writeErr: (text) => say(text.trimEnd()),
  });
  program.command("cut").argument("<dir...>", "folders of large pictures")
    .requiredOption("--out <dir>", "folder for the tiles")
    .action((folders, { out }) => cut(folders, out));
  program.command("judge").argument("<run>", "a run's folder, or weights")
    .option("--pictures <dir>", "tiles, where they are not what the run was trained on")
    .option("--features <list>", "what is read out, where not as configured", featuresOf)
    .option("--json", "one object instead of a table")
    .action(judge);
  await program.parseAsync([...Deno.args], { from: "user" });
}

if (import.meta.main) await runCommand(main);
