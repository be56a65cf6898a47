/**
 * The folder of a run: where it is, and what may be in it already.
 *
 * @module
 */
import { basename, join } from "node:path";
import type { Config } from "../../lib/config.ts";
import type { MetricLine } from "../../lib/diagnosis.ts";
import { HatchlingError } from "../../lib/errors.ts";
import {
  type LatestCheckpoint,
  latestCheckpoint,
  listCheckpoints,
} from "../../lib/io/checkpoint.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { fileError } from "../../lib/io/files.ts";

/** Keys that may differ when a run goes on: they change neither weights nor data. */
const FREE = [
  "training.max_steps",
  "checkpoint.",
  "logging.",
  "evaluation.",
  "data.num_workers",
  "data.cache_bytes",
  "device.",
];

/** A run's folder, with the checkpoint to go on from. */
export interface RunFolder {
  /** Its path. */
  path: string;
  /** The newest sound checkpoint, when the run goes on. */
  checkpoint?: LatestCheckpoint;
}

/**
 * Finds the folder: `out`, or runs/<config>-<time>; with `resume` the newest run of that config that has a
 * checkpoint.
 *
 * @throws {HatchlingError} When there is nothing to resume, or a new run would mix with an old one.
 */
export async function openRunFolder(
  configPath: string,
  { out, resume }: { out?: string; resume?: boolean },
): Promise<RunFolder> {
  const name = basename(configPath).replace(/\.ya?ml$/i, "");
  if (resume) {
    const path = out ?? await newestRun(name);
    const checkpoint = await latestCheckpoint(path);
    if (!checkpoint) {
      throw new HatchlingError(
        `Expected a checkpoint to resume from but ${path} has none: leave out --resume to start anew`,
      );
    }
    for (const message of checkpoint.skipped) console.error(`warning: ${message}`);
    return { path, checkpoint };
  }
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const path = out ?? join("runs", `${name}-${time}`);
  if ((await listCheckpoints(path)).length) {
    throw new HatchlingError(
      `Expected a folder without a run but ${path} holds checkpoints: add --resume to go on, or choose another --out`,
    );
  }
  await Deno.mkdir(path, { recursive: true }).catch((error) => {
    throw fileError("create", path, error);
  });
  return { path };
}

/** The newest run of a config that has a checkpoint. */
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
    if ((await listCheckpoints(join("runs", run))).length) return join("runs", run);
  }
  throw new HatchlingError(
    `Expected a run of ${name} to resume but found none with a checkpoint in runs/: leave out --resume to start anew, or name its folder with --out`,
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
 * @throws {HatchlingError} Listing every key that changed what is trained.
 */
export function checkSameConfig(config: Config, before: unknown): void {
  const [now, then] = [flatten(config), flatten(before)];
  const changed = [...new Set([...now.keys(), ...then.keys()])].filter((key) =>
    now.get(key) !== then.get(key) && !FREE.some((free) => key.startsWith(free))
  );
  if (changed.length) {
    throw new HatchlingError(
      "Expected the configuration that the run started with but found\n" +
        changed.map((key) => `  ${key}: ${now.get(key)} instead of ${then.get(key)}`).join("\n") +
        "\nUndo the change, or leave out --resume to start a new run",
    );
  }
}

function flatten(
  value: unknown,
  prefix = "",
  out = new Map<string, string>(),
): Map<string, string> {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) {
      flatten(inner, prefix ? `${prefix}.${key}` : key, out);
    }
  } else out.set(prefix, JSON.stringify(value));
  return out;
}
