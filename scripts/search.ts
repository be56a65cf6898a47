/**
 * Similar pictures and duplicates in a folder: `deno task search DIR QUERY… --weights RUN|FILE`, and
 * `deno task search DIR --duplicates`.
 *
 * @module
 */
import { join } from "node:path";
import { Command } from "commander";
import { parseOverrides } from "../lib/config.ts";
import { listPictures } from "../lib/data/files.ts";
import { FORMATS } from "../lib/data/header.ts";
import { HatchlingError } from "../lib/errors.ts";
import { fileError } from "../lib/io/files.ts";
import { opening } from "./data/open.ts";
import { many } from "./data/words.ts";
import { shown } from "../lib/text.ts";
import { AtomicFile } from "./embed/atomic_file.ts";
import { requirePictures } from "./embed/pictures.ts";
import { Session } from "./look/session.ts";
import { THRESHOLD } from "./search/duplicates.ts";
import { searchDuplicates } from "./search/run_duplicates.ts";
import { type Answer, searchSimilar } from "./search/run_similar.ts";
import { Progress } from "./train/progress.ts";
import { positive, share } from "./numbers.ts";

interface Options {
  weights?: string;
  k: number;
  patches?: boolean;
  duplicates?: boolean;
  threshold?: number;
  mirrored?: boolean;
  out?: string;
  json?: boolean;
  config?: string;
  checkpoint?: string;
  student?: boolean;
}

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("deno task search")
    .description("Finds similar pictures in a folder, or those that are there more than once.")
    .argument("<dir>", "folder of pictures")
    .argument("[query...]", "pictures to search for, of the folder or not")
    .option("--weights <model>", "a run's folder, or a safetensors file")
    .option("-k, --k <n>", "pictures to find for each", positive, 8)
    .option("--patches", "compare what lies where (patch tokens on a 4 × 4 grid), not what is seen")
    .option("--duplicates", "find pictures that are there more than once")
    .option("--threshold <t>", `how alike duplicates are, in (0, 1] (default: ${THRESHOLD})`, share)
    .option("--mirrored", "mirror images are duplicates too")
    .option("--out <folder>", "where the page goes (default: search, but for --json)")
    .option("--json", "one object instead of a table")
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option("--checkpoint <file>", "a checkpoint of the run, not its result")
    .option("--student", "the student, not the teacher")
    .addHelpText("after", "\nAny key of the configuration: --data.num_workers 4")
    .parse(rest, { from: "user" });
  const options = command.opts<Options>();
  const [folder, ...queries] = command.args;
  checkArguments(queries, options);
  await requirePictures(folder);
  const { weights } = options;
  const session = weights === undefined
    ? undefined
    : await Session.load({ ...options, path: weights, overrides });
  const page = await pageFile(options);
  try {
    const progress = session?.progress ?? new Progress();
    const listing = await listPictures(
      folder,
      (done, total, doing) => progress.show(opening(done, total, doing)),
    );
    progress.end();
    if (!listing.files.length) {
      throw new HatchlingError(
        `Expected pictures (${FORMATS}) in ${folder} or its sub-folders but found none`,
      );
    }
    const { threshold = THRESHOLD, mirrored = false } = options;
    const answer = options.duplicates
      ? await searchDuplicates(folder, listing, { threshold, mirrored }, progress, session)
      : await searchSimilar(folder, listing, queries, session!, {
        k: options.k,
        kind: options.patches ? "patches" : "class",
      });
    await report(answer, options, page);
  } finally {
    page?.discard();
    session?.close();
  }
}

function checkArguments(queries: readonly string[], options: Options): void {
  const { weights, duplicates, threshold, mirrored } = options;
  if (duplicates && queries.length) {
    throw new HatchlingError(
      `Expected no picture beside --duplicates but found ${queries[0]}: search for one of them`,
    );
  }
  if (!duplicates && !queries.length) {
    throw new HatchlingError(
      "Expected a picture to search for, or --duplicates, but found neither: name one after the folder",
    );
  }
  if (!duplicates && weights === undefined) {
    throw new HatchlingError(
      "Expected --weights beside a picture to search for but found none: name a run's folder or a " +
        "safetensors file; --duplicates alone needs none",
    );
  }
  if (!duplicates && (threshold !== undefined || mirrored)) {
    throw new HatchlingError(
      "Expected --threshold and --mirrored beside --duplicates but found no such: leave them out",
    );
  }
}

/** The page's file, so that what cannot be written is known before any work. */
async function pageFile({ out, json, duplicates }: Options): Promise<AtomicFile | undefined> {
  if (json && out === undefined) return;
  const folder = out ?? "search";
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError("make the folder", folder, error);
  }
  return AtomicFile.open(join(folder, duplicates ? "duplicates.html" : "similar.html"));
}

async function report(answer: Answer, { json }: Options, page?: AtomicFile): Promise<void> {
  if (page) {
    page.write(new TextEncoder().encode(await answer.page()));
    page.finish();
  }
  if (json) console.log(JSON.stringify(answer.json, null, 2));
  else {
    console.log(answer.table);
    if (page) console.log(page.path);
  }
  if (!answer.notes.length) return;
  console.error(`${many(answer.notes.length, "file")} left out:`);
  for (const note of answer.notes) console.error(`  ${shown(note)}`);
}

try {
  await main();
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
