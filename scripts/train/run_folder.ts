/**
 * The folder of a run: where it is, and what may be in it already.
 *
 * @module
 */
import { basename, join } from "node:path";
import { type Config, configDefaults } from "../../lib/config.ts";
import type { MetricLine } from "../../lib/diagnosis.ts";
import { HatchlingError } from "../../lib/errors.ts";
import {
  type LatestCheckpoint,
  latestCheckpoint,
  listCheckpoints,
  removeTemporaries,
} from "../../lib/io/checkpoint.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { fileError } from "../../lib/io/files.ts";
import { lockFolder } from "./run_lock.ts";

/** Keys that may differ when a run goes on: they change neither weights nor data. */
const FREE = [
  "training.max_steps",
  "training.on_non_finite",
  "training.max_skipped_steps",
  "checkpoint.",
  "logging.",
  "evaluation.",
  "data.num_workers",
  "data.cache_bytes",
  "device.",
];

/** Files that a run writes beside its checkpoints; any of them says that a folder holds a run. */
const OWN =
  /^(run\.json|(metrics|skipped|evaluations)\.jsonl|(teacher|student|best)\.safetensors|evaluation\.json|events\.out\.tfevents\..+)$/;

/** A run's folder, with the checkpoint to go on from. */
export interface RunFolder {
  /** Its path. */
  path: string;
  /** The newest sound checkpoint, when the run goes on. */
  checkpoint?: LatestCheckpoint;
}

/** What the command line says of the folder. */
export interface FolderOptions {
  /** Its path. */
  out?: string;
  /** Go on with the run in it. */
  resume?: boolean;
  /** Delete the run in it. */
  overwrite?: boolean;
}

/**
 * Finds the folder and takes it for this process: `out`, or runs/<config>-<time>; with `resume` the newest run
 * of that config.
 *
 * @throws {HatchlingError} When there is nothing to resume, another process has the folder, or a new run would
 * mix with an old one.
 */
export async function openRunFolder(
  configPath: string,
  { out, resume, overwrite }: FolderOptions,
): Promise<RunFolder> {
  const name = basename(configPath).replace(/\.ya?ml$/i, "");
  if (resume) {
    const path = out ?? await newestRun(name);
    if (!(await ownFiles(path)).length) {
      throw new HatchlingError(
        `Expected a run to go on with but found none in ${path}: leave out --resume to start anew`,
      );
    }
    await lockFolder(path);
    await removeTemporaries(path);
    return { path, checkpoint: await newestCheckpoint(path) };
  }
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const path = out ?? join("runs", `${name}-${time}`);
  await Deno.mkdir(path, { recursive: true }).catch((error) => {
    throw fileError("create", path, error);
  });
  await lockFolder(path);
  const files = await ownFiles(path);
  if (files.length && !overwrite) {
    throw new HatchlingError(
      `Expected a folder without a run but ${path} holds ${
        files[0]
      }: add --resume to go on, --overwrite to ` +
        "delete that run, or choose another --out",
    );
  }
  for (const file of files) {
    await Deno.remove(join(path, file)).catch((error) => {
      throw fileError("delete", join(path, file), error);
    });
  }
  return { path };
}

/** The newest sound checkpoint; undefined for a run that was stopped before its first. */
export async function newestCheckpoint(path: string): Promise<LatestCheckpoint | undefined> {
  const checkpoint = await latestCheckpoint(path);
  for (const message of checkpoint?.skipped ?? []) {
    console.error(`warning: ${message}; the one before it is used`);
  }
  if (!checkpoint) {
    console.error(`note: ${path} holds no checkpoint yet: the run starts from its beginning`);
  }
  return checkpoint ?? undefined;
}

/** Names of the files in a folder that a run wrote. */
async function ownFiles(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(path)) if (OWN.test(name)) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError("list", path, error);
  }
  const checkpoints = await listCheckpoints(path);
  return [...checkpoints.map((file) => basename(file.path)), ...names.sort()];
}

/** The newest run of a config. */
async function newestRun(name: string): Promise<string> {
  const runs: string[] = [];
  try {
    for await (const { name: entry, isDirectory } of Deno.readDir("runs")) {
      const time = entry.slice(name.length + 1);
      if (isDirectory && entry.startsWith(`${name}-`) && /^\d{4}-\d\d-\d\dT/.test(time)) {
        runs.push(entry);
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError("list", "runs", error);
  }
  for (const run of runs.sort().reverse()) {
    if ((await ownFiles(join("runs", run))).length) return join("runs", run);
  }
  throw new HatchlingError(
    `Expected a run of ${name} to resume but found none in runs/: leave out --resume to start anew, or name its folder with --out`,
  );
}

/** The run's metrics.jsonl, open for appending, with the lines that it holds. */
export interface Metrics {
  /** Where to append. */
  file: Deno.FsFile;
  /** The lines so far. */
  lines: MetricLine[];
}

/**
 * Opens the run's metrics.jsonl for appending. An interrupted run may have logged steps after its last
 * checkpoint, which will be logged again, or a number that was not finite, after which it now goes on: only
 * whole lines up to `step` are kept.
 */
export async function openMetrics(folder: string, step: number): Promise<Metrics> {
  const path = join(folder, "metrics.jsonl");
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw fileError("read", path, error);
  });
  const lines: MetricLine[] = [];
  const kept = text.split("\n").filter((row) => {
    try {
      const line: MetricLine = JSON.parse(row);
      if (!(line.step <= step) || line.non_finite !== undefined) return false;
      return lines.push(line);
    } catch {
      return false;
    }
  });
  await writeFileAtomic(path, new TextEncoder().encode(kept.map((row) => row + "\n").join("")));
  return { file: await Deno.open(path, { append: true }), lines };
}

/**
 * Refuses to go on under another configuration.
 *
 * @param extend Allows more epochs: the schedules then stretch over all of them.
 * @throws {HatchlingError} Listing every key that changed what is trained.
 */
export function checkSameConfig(config: Config, before: unknown, extend = false): void {
  const now = flatten(config);
  const then = flatten(withDefaults(before, configDefaults()));
  const longer = (key: string) =>
    extend && key === "training.num_epochs" && Number(now.get(key)) > Number(then.get(key));
  const changed = [...new Set([...now.keys(), ...then.keys()])].filter((key) =>
    now.get(key) !== then.get(key) && !FREE.some((free) => key.startsWith(free)) && !longer(key)
  );
  if (!changed.length) return;
  const value = (found?: string) => found ?? "nothing";
  throw new HatchlingError(
    "Expected the configuration that the run started with but found\n" +
      changed.map((key) => `  ${key}: ${value(now.get(key))} instead of ${value(then.get(key))}`)
        .join("\n") +
      "\nUndo the change, or leave out --resume to start a new run" +
      (changed.includes("training.num_epochs") ? "; --extend allows more epochs" : ""),
  );
}

/** Keys that are newer than the run had what is now their default. */
function withDefaults(value: unknown, defaults: unknown): unknown {
  if (!isObject(value) || !isObject(defaults)) return value;
  const kept = { ...defaults, ...value };
  for (const key in value) kept[key] = withDefaults(value[key], defaults[key]);
  return kept;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function flatten(
  value: unknown,
  prefix = "",
  out = new Map<string, string>(),
): Map<string, string> {
  if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      flatten(inner, prefix ? `${prefix}.${key}` : key, out);
    }
  } else out.set(prefix, JSON.stringify(value));
  return out;
}
