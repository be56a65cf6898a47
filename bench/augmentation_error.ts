/**
 * How exact the augmentation is: `deno task bench:augmentation [--pictures 100] [--seed 0] [--pil]`.
 *
 * Every operation runs through the training kernels and through PIL's integer arithmetic, over random pictures
 * of five kinds and random parameters. Differences are in levels of 255. The exit status is 1 when a row
 * exceeds its limit.
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { HatchlingError } from "../lib/errors.ts";
import { ensureAdapter } from "../lib/adapter.ts";
import { openGpu } from "../lib/gpu.ts";
import { CASES } from "./augmentation_error/cases.ts";
import { limitOf, measure, type Sample, within } from "./augmentation_error/measure.ts";
import { differencesFromPil, pilVersion } from "./augmentation_error/pil.ts";
import { table } from "./report.ts";

interface Options {
  pictures: number;
  seed: number;
  pil?: boolean;
  python: string;
  markdown?: boolean;
}

const whole = (least: number) => (text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value < 2 ** 32) return value;
  throw new InvalidArgumentError(`Expected an integer ≥ ${least}.`);
};

const { pictures, seed, pil, python, markdown } = new Command("bench:augmentation")
  .description("Compares every operation of the augmentation with PIL's integer arithmetic.")
  .option("--pictures <n>", "pictures for each row, of five kinds in turn", whole(1), 100)
  .option("--seed <n>", "seed of pictures and parameters", whole(0), 0)
  .option("--pil", "compare the integer arithmetic with PIL and torchvision themselves")
  .option("--markdown", "print the table as in docs/guides/augmentation.md")
  .option("--python <path>", "a Python that has both", "/usr/bin/python3")
  .parse(["deno", "bench:augmentation", ...Deno.args])
  .opts<Options>();

/** Few digits, but never 0 for what is not. */
const short = (value: number) => value === 0 ? "0" : value.toPrecision(2);

try {
  await ensureAdapter({ log: () => {} });
  const gpu = await openGpu();
  console.log(`${gpu.info.description || gpu.info.vendor}; seed ${seed}`);
  if (pil) console.log(await pilVersion(python));
  let failed = 0;
  const rows: string[][] = [];
  for (const test of CASES) {
    const samples: Sample[] = [], expected: Float32Array[] = [];
    const keep = (sample: Sample, result: Float32Array) => {
      samples.push(sample);
      expected.push(result);
    };
    const row = await measure(gpu, test, pictures, seed, pil ? keep : undefined);
    const limit = limitOf(test, gpu);
    const cells = [
      test.name,
      test.range,
      String(row.pictures),
      row.values.toLocaleString("en"),
      short(row.max),
      short(row.share),
      short(row.mean),
      limit.max === 0 ? "equal" : `${limit.max}, ${limit.share}`,
    ];
    if (pil) {
      const different = test.channels === 3
        ? await differencesFromPil(python, samples, expected)
        : undefined;
      cells.push(different === undefined ? "-" : String(different));
      failed += different ? 1 : 0;
    }
    if (!within(row, limit)) {
      failed++;
      cells.push("EXCEEDED");
    }
    rows.push(cells);
    if (Deno.stderr.isTerminal()) console.error(cells.join("  "));
  }
  const head = ["operation", "parameters", "pictures", "values", "largest", "share", "mean"];
  head.push("limit", ...pil ? ["exact ≠ PIL"] : [], "");
  const body = rows.map((row) => [...row, ...head.slice(row.length).map(() => "")]);
  const line = (cells: string[]) => `| ${cells.slice(0, -1).join(" | ")} |`;
  if (markdown) console.log([head, head.map(() => "---"), ...body].map(line).join("\n"));
  else console.log(table(head, body));
  if (failed) console.log(`${failed} of ${CASES.length} rows exceed their limit`);
  gpu.destroy();
  Deno.exit(failed ? 1 : 0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
