/**
 * Similar pictures and duplicates in a folder: `deno task search DIR QUERY… --weights RUN|FILE`, and
 * `deno task search DIR --duplicates`.
 *
 * @module
 */
import { parseOverrides } from "../../lib/config.ts";
import { listPictures } from "../../lib/data/files.ts";
import { FORMATS } from "../../lib/data/header.ts";
import { leftOutLines } from "../../lib/data/left_out.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { readoutOf } from "../../lib/from_config.ts";
import { opening } from "../../lib/from_config/pictures.ts";
import { Session } from "../../lib/session.ts";
import { featureOption, featureOverride } from "../common/feature_option.ts";
import { positive, share } from "../common/numbers.ts";
import { addWhitenOptions, whitenOverrides } from "../common/whiten_option.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, printJson, runCommand, say } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import { type Arguments, checkArguments, MOST_FOUND, type SearchOptions } from "./arguments.ts";
import { THRESHOLD } from "../../lib/search/duplicates.ts";
import { PageFile } from "./page_file.ts";
import { searchDuplicates } from "./run_duplicates.ts";
import { type Answer, searchSimilar } from "./run_similar.ts";
import { retried } from "../../lib/search/store.ts";

function readArguments(): Arguments {
  const { overrides, rest } = parseOverrides(commandArgs());
  const command = addWhitenOptions(newCommand("search"))
    .description("Finds similar pictures in a folder, or those that are there more than once.")
    .argument("<dir>", "folder of pictures")
    .argument("[query...]", "pictures to search for, of the folder or not")
    .option(
      "--weights <model>",
      "a run's folder, a file of weights (.safetensors, .pth), or a published model's folder",
    )
    .option("-k, --k <n>", `pictures to find for each, up to ${MOST_FOUND}`, positive, 8)
    .addOption(featureOption("what is compared (default: evaluation.feature)"))
    .option("--duplicates", "find pictures that are there more than once")
    .option("--threshold <t>", `how alike duplicates are, in (0, 1] (default: ${THRESHOLD})`, share)
    .option("--mirrored", "mirror images are duplicates too")
    .option("--out <folder>", "where the page goes (default: search in the run, or out/search)")
    .option("--json", "one object instead of a table, and no page but with --out")
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option("--checkpoint <file>", "a checkpoint of the run, not its result")
    .option("--student", "the student, not the teacher")
    .addHelpText("after", "\nAny key of the configuration: --data.num_workers 4")
    .parse(rest, { from: "user" });
  const [folder, ...queries] = command.args;
  return { folder, queries, overrides, options: command.opts<SearchOptions>() };
}

async function main(): Promise<void> {
  const asked = readArguments();
  const { folder, queries, overrides, options } = asked;
  await checkArguments(asked);
  const page = await PageFile.claim(asked);
  const progress = new Progress();
  let session: Session | undefined;
  try {
    const { weights } = options;
    if (weights !== undefined) {
      session = await Session.load({
        ...options,
        path: weights,
        overrides: [...overrides, ...featureOverride(options), ...whitenOverrides(options)],
      }, progress);
    }
    page.open();
    const listing = await listPictures(
      folder,
      (done, total, doing) => progress.show(opening(done, total, doing)),
    );
    progress.end();
    if (!listing.files.length) {
      throw new HatchlingError(
        `Expected pictures (${FORMATS}) in ${shown(folder)} or its sub-folders but found none`,
      );
    }
    const { threshold = THRESHOLD, mirrored = false, duplicates, k } = options;
    const answer = await retried(() =>
      duplicates
        ? searchDuplicates(folder, listing, { threshold, mirrored }, progress, session)
        : searchSimilar(folder, listing, queries, session!, {
          k,
          readout: readoutOf(session!.config),
        })
    );
    await report(answer, options, page);
  } finally {
    page.discard();
    session?.close();
  }
}

async function report(answer: Answer, { json }: SearchOptions, page: PageFile): Promise<void> {
  if (json) printJson(answer.json);
  else print(answer.table);
  const written = await page.write(answer.page);
  if (!json && written !== undefined) print(written);
  leftOutLines(answer.skipped).forEach(say);
  for (const remark of [...answer.remarks, ...page.remarks]) say(`note: ${remark}`);
}

await runCommand(main);
