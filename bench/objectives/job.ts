/**
 * A row with a seed: its command, its folder, and what is kept of it.
 *
 * @module
 */
import { join } from "node:path";
import type { Override } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { fileError, readFile } from "../../lib/io/files.ts";
import { shown } from "../../lib/text.ts";
import type { Row } from "./rows.ts";

/** What is to be done. */
export interface Job {
  /** The row. */
  row: Row;
  /** Seed of the weights, the order of pictures and the views. */
  seed: number;
  /** Where it is kept. */
  folder: string;
  /** What is set beside the row, for trials. */
  extra: readonly Override[];
}

/** What is kept of a job in its figures.json. */
export interface Found {
  /** The command that trained; what was done in its place where nothing was. */
  command: string;
  /** Seconds that the command took, where it was not broken off meanwhile. */
  seconds?: number;
  /** What judged. */
  judged: string;
  /** The WebGPU adapter. */
  adapter: string;
  /** Percent by metric, by what was read out: "grid", "grid W" whitened. */
  figures: Record<string, Record<string, number>>;
}

/** The folder of the run that trains, or of the comparison where PyTorch does. */
export const trainedIn = ({ row, folder }: Job): string =>
  join(folder, row.by === "simdino" ? "quality" : "run");

/** Everything that is set beside the configuration. */
export function overridesOf({ row, seed, extra }: Job): Override[] {
  return [
    ...Object.entries(row.set).map(([key, value]) => ({ key, value })),
    { key: "training.seed", value: String(seed) },
    ...extra,
  ];
}

/** A command's own figures are not used: they are of few pictures. */
const FEW = ["--evaluation.max_images", "100"];

/** The arguments of `deno` that train; undefined where nobody does. */
export function commandOf(job: Job): string[] | undefined {
  const { row } = job;
  if (row.by === "untrained" || row.by === "pixels") return;
  const flags = overridesOf(job).flatMap(({ key, value = "true" }) => [`--${key}`, value]);
  const own = ["--out", trainedIn(job), ...FEW];
  if (row.by === "hatchling") return ["task", "train", row.config, ...own, ...flags];
  const rare = ["--every", "100000"]; // at the start and at the end
  return ["task", "bench:quality", row.config, "--objective", row.by, ...own, ...rare, ...flags];
}

/** The command in words, without what changes nothing of the weights: what a row is known by. */
export function commandText(job: Job): string {
  const { row, seed } = job;
  const args = commandOf(job);
  if (!args) return row.by === "pixels" ? "pixels" : `initial weights of seed ${seed}`;
  const at = args.indexOf("--out");
  return ["deno", ...args.slice(0, at), ...args.slice(at + 2 + FEW.length)].join(" ");
}

const fileOf = ({ folder }: Job) => join(folder, "figures.json");

/**
 * What was found before, if anything.
 *
 * @throws {HatchlingError} When it is of another command, or no such file.
 */
export async function readFound(job: Job): Promise<Found | undefined> {
  const path = fileOf(job);
  if (!await Deno.lstat(path).catch(() => undefined)) return;
  let found: Found;
  try {
    found = JSON.parse(new TextDecoder().decode(await readFile(path)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new HatchlingError(`Expected JSON in ${shown(path)} but ${error.message}: delete it`);
  }
  const command = commandText(job);
  if (found.command === command) return found;
  throw new HatchlingError(
    `Expected ${shown(path)} to be of\n  ${command}\nbut found\n  ${shown(found.command)}\n` +
      "the row has changed: delete its folder, or choose another --out",
  );
}

/** Keeps it. */
export async function writeFound(job: Job, found: Found): Promise<void> {
  await Deno.mkdir(job.folder, { recursive: true }).catch((error) => {
    throw fileError("create", job.folder, error);
  });
  const text = JSON.stringify(found, null, 2) + "\n";
  await writeFileAtomic(fileOf(job), new TextEncoder().encode(text));
}
