/**
 * What a model sees, as pictures and pages: `deno task look attention|pca|neighbours|prototypes|map RUN|WEIGHTS …`.
 *
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import { parseOverrides } from "../lib/config.ts";
import { HatchlingError } from "../lib/errors.ts";
import { lookAttention } from "./look/attention.ts";
import { COLOR_MAPS } from "./look/colors.ts";
import { lookMap } from "./look/map.ts";
import { lookNeighbors } from "./look/neighbors.ts";
import { lookPca } from "./look/pca.ts";
import { lookPrototypes } from "./look/prototypes.ts";
import { Session } from "./look/session.ts";
import { positive, share } from "./numbers.ts";

/** Does the work of a command with its options. */
// deno-lint-ignore no-explicit-any
type Work = (session: Session, paths: string[], options: any) => Promise<void>;

const { overrides, rest } = parseOverrides([...Deno.args]);
let task: (() => Promise<void>) | undefined;

const program = new Command("deno task look")
  .description("Shows what a model sees: a run's folder, a checkpoint, or a safetensors file.")
  .exitOverride().showHelpAfterError("(--help shows what there is)")
  .addHelpText("after", "\nlook <command> --help shows the options of each.");

function add(name: string, description: string, pictures: string | undefined, work: Work): Command {
  const command = program.command(name).description(description)
    .argument("<model>", "a run's folder, or a safetensors file");
  if (pictures) command.argument("[pictures...]", pictures);
  return command
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option("--checkpoint <file>", "a checkpoint of the run, not its result")
    .option("--student", "the student, not the teacher")
    .option("--out <folder>", "where the results go", `look/${name}`)
    .addHelpText("after", "\nAny key of the configuration: --data.path DIR, --data.split val")
    .action((model: string, ...more) => {
      const paths: string[] = pictures ? more[0] : [];
      const options = command.opts();
      task = async () => {
        const { config, checkpoint, student } = options;
        const session = await Session.load({ path: model, config, checkpoint, student, overrides });
        try {
          await work(session, paths, options);
        } finally {
          session.close();
        }
      };
    });
}

const FILES = "picture files, one folder, or ids of the set (default: some of the set's)";

const size = () =>
  new Option("--size <pixels>", "side of the image; default: as in training").argParser(positive);
const images = () =>
  new Option("--images <n>", "so many pictures at most, spread over all").argParser(positive);
const maxImages = (n?: number) =>
  new Option("--max-images <n>", "take only so many pictures, at random").argParser(positive)
    .default(n);

add(
  "attention",
  "Where the class token of the last block looks, per head.",
  FILES,
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

add("pca", "Principal components of the patch features, as colours.", FILES, lookPca)
  .addOption(size())
  .option("--whole", "keep the picture's shape, not its central square", false)
  .option("--foreground", "leave out what the first component takes for background", false)
  .option("--invert", "with --foreground: keep the other side", false)
  .option("--smooth", "blend from patch to patch", false)
  .addOption(images());

add(
  "neighbours",
  "The most similar pictures of some.",
  "picture files, or ids of the set (default: some of the set's)",
  lookNeighbors,
)
  .alias("neighbors")
  .option("-k, --k <n>", "neighbours of each", positive, 8)
  .addOption(images())
  .addOption(maxImages());

add("prototypes", "What the head's output dimensions stand for.", undefined, lookPrototypes)
  .option("--prototypes <n>", "so many of the most used ones", positive, 16)
  .option("--images <n>", "pictures of each", positive, 10)
  .addOption(maxImages());

add("map", "All pictures on a page, similar ones near each other.", undefined, lookMap)
  .option("--neighbours <n>", "neighbours that UMAP keeps together", positive, 15)
  .option("--color-by <label>", "kind of label to begin with")
  .option("--thumbnail <pixels>", "side of the pictures on the page", positive, 32)
  .addOption(maxImages(10_000));

try {
  program.parse(rest, { from: "user" });
  await task?.();
  Deno.exit(0);
} catch (error) {
  if (error instanceof CommanderError) Deno.exit(error.exitCode);
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
