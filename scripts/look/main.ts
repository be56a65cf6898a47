/**
 * What a model sees, as pictures and pages: `deno task look attention|pca|neighbours|prototypes|map RUN|WEIGHTS …`.
 *
 * @module
 */
import { join } from "node:path";
import { type Command, CommanderError, Option } from "commander";
import { type Override, parseOverrides } from "../../lib/config.ts";
import { lookAttention } from "./attention.ts";
import { COLOR_MAPS } from "../../lib/draw/colors.ts";
import { lookMap } from "./map.ts";
import { lookNeighbors } from "./neighbors.ts";
import { lookPca } from "./pca.ts";
import { lookPrototypes } from "./prototypes.ts";
import { Session } from "../../lib/session.ts";
import { Output } from "./output.ts";
import { LIMITS, positive, share, upTo } from "../common/numbers.ts";
import { defaultFolder, OUT } from "../common/outputs.ts";
import { featureOption, featureOverride } from "../common/feature_option.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { runCommand } from "../common/terminal.ts";
import { addWhitenOptions, whitenOverrides } from "../common/whiten_option.ts";
import { Progress } from "../common/progress.ts";

/** Does the work of a command with its options. */
// deno-lint-ignore no-explicit-any
type Work = (session: Session, paths: string[], options: any) => Promise<void>;

let overrides: Override[] = [];
let task: (() => Promise<void>) | undefined;

const program = newCommand("look")
  .description("Shows what a model sees: a run's folder, a checkpoint, or a safetensors file.")
  .exitOverride().showHelpAfterError("(--help shows what there is)")
  .addHelpText("after", "\nlook <command> --help shows the options of each.");

/** @param files What it always writes. */
function add(
  name: string,
  description: string,
  pictures: string | undefined,
  files: readonly string[],
  work: Work,
): Command {
  const command = program.command(name).description(description)
    .argument("<model>", "a run's folder, a file of weights, or a published model's folder");
  if (pictures) command.argument("[pictures...]", pictures);
  return command
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option("--checkpoint <file>", "a checkpoint of the run, not its result")
    .option("--student", "the student, not the teacher")
    .option(
      "--out <folder>",
      `where the results go (default: RUN/look/${name}; of a file ${OUT}/look/${name})`,
    )
    .addHelpText("after", "\nAny key of the configuration: --data.path DIR, --data.split val")
    .action((model: string, ...more) => {
      const paths: string[] = pictures ? more[0] : [];
      const options = command.opts();
      task = async () => {
        const { config, checkpoint, student } = options;
        const session = await Session.load(
          {
            path: model,
            config,
            checkpoint,
            student,
            overrides: [...overrides, ...featureOverride(options), ...whitenOverrides(options)],
          },
          new Progress(),
        );
        try {
          const { file, folder, config: { data } } = session.loaded;
          const place = options.out ?? join(defaultFolder("look", folder), name);
          const out = new Output(place, [model, file, config, data.path, ...paths]);
          // What lies below a run's folder is known to be none of its pictures.
          const inRun = options.out === undefined && folder !== undefined;
          out.prepare(files, inRun ? [] : [data.path, ...paths]);
          await work(session, paths, { ...options, out });
        } finally {
          session.close();
        }
      };
    });
}

const FILES = "picture files, one folder, or ids of the set (default: some of the set's)";

const size = () =>
  new Option("--size <pixels>", "side of the image; default: as in training").argParser(
    upTo(LIMITS.side),
  );
const images = () =>
  new Option("--images <n>", "so many pictures at most, spread over all").argParser(
    upTo(LIMITS.pictures),
  );
const feature = () => featureOption("what is compared (default: evaluation.feature)");
const maxImages = (n?: number) =>
  new Option("--max-images <n>", "take only so many pictures, at random").argParser(
    upTo(LIMITS.pictures),
  )
    .default(n);

add(
  "attention",
  "Where the class token of the last block looks, per head.",
  FILES,
  ["sheet.png"],
  lookAttention,
)
  .addOption(size())
  .option("--whole", "keep the picture's shape, not its central square", false)
  .option(
    "--threshold <share>",
    "also draw the patches that hold this share of the attention",
    share,
  )
  .option("--smooth", "blend from patch to patch", false)
  .addOption(new Option("--map <colours>", "colour map").choices(COLOR_MAPS).default("inferno"))
  .option("--alpha <weight>", "weight of the colours over the picture", share, 0.85)
  .addOption(images());

add("pca", "Principal components of the patch features, as colours.", FILES, ["sheet.png"], lookPca)
  .addOption(size())
  .option("--whole", "keep the picture's shape, not its central square", false)
  .option("--foreground", "leave out what the first component takes for background", false)
  .option("--invert", "with --foreground: keep the other side", false)
  .option("--smooth", "blend from patch to patch", false)
  .addOption(images());

addWhitenOptions(add(
  "neighbours",
  "The most similar pictures of some.",
  FILES,
  ["sheet.png", "neighbours.html"],
  lookNeighbors,
))
  .alias("neighbors")
  .option("-k, --k <n>", "neighbours of each", upTo(LIMITS.found), 8)
  .addOption(feature())
  .addOption(images())
  .addOption(maxImages());

add("prototypes", "What the head's output dimensions stand for.", undefined, [
  "sheet.png",
  "prototypes.html",
], lookPrototypes)
  .option("--prototypes <n>", "so many of the most used ones", upTo(LIMITS.rows), 16)
  .option("--images <n>", "pictures of each", upTo(LIMITS.found), 10)
  .addOption(maxImages());

addWhitenOptions(add(
  "map",
  "All pictures on a page, similar ones near each other.",
  undefined,
  ["map.html"],
  lookMap,
))
  .addOption(feature())
  .option("--neighbours <n>", "neighbours that UMAP keeps together", upTo(LIMITS.graph), 15)
  .option("--color-by <label>", "kind of label to begin with")
  .option("--thumbnail <pixels>", "side of the pictures on the page", positive, 32)
  .addOption(maxImages(10_000));

await runCommand(async () => {
  const { rest, ...given } = parseOverrides(commandArgs());
  overrides = given.overrides;
  try {
    program.parse(rest, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
  await task?.();
});
