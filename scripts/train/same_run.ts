/**
 * Whether a run that goes on is still the run that it was.
 *
 * @module
 */
import { dirname, isAbsolute, join, relative } from "node:path";
import { type Config, configDefaults } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { CheckpointState } from "../../lib/io/checkpoint.ts";
import { shown } from "../../lib/text.ts";
import { say } from "../common/terminal.ts";
import type { Pictures, SkippedRow } from "./pictures.ts";

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

/** Says where pictures are; these may be the same elsewhere. */
const PLACE = "data.path";

/** What else may differ. */
export interface Allowed {
  /** More epochs: the schedules then stretch over all of them. */
  extend?: boolean;
  /** The place of the pictures: they are known to be the same. */
  moved?: boolean;
}

/**
 * Refuses to go on under another configuration.
 *
 * @throws {HatchlingError} Listing every key that changed what is trained.
 */
export function checkSameConfig(
  config: Config,
  before: unknown,
  { extend = false, moved = false }: Allowed = {},
): void {
  const now = flatten(config);
  const then = flatten(withDefaults(before, configDefaults()));
  const longer = (key: string) =>
    extend && key === "training.num_epochs" && Number(now.get(key)) > Number(then.get(key));
  const changed = [...new Set([...now.keys(), ...then.keys()])].filter((key) =>
    now.get(key) !== then.get(key) && !FREE.some((free) => key.startsWith(free)) &&
    !longer(key) && !(moved && key === PLACE)
  );
  if (!changed.length) return;
  const value = (found?: string) => shown(found ?? "nothing");
  throw new HatchlingError(
    "Expected the configuration that the run started with but found\n" +
      changed.map((key) =>
        `  ${shown(key)}: ${value(now.get(key))} instead of ${value(then.get(key))}`
      ).join("\n") +
      "\nUndo the change, or leave out --resume to start a new run" +
      (changed.includes("training.num_epochs") ? "; --extend allows more epochs" : "") +
      (changed.includes(PLACE)
        ? "; a set of files may lie elsewhere, if names and sizes are the same"
        : ""),
  );
}

/**
 * Refuses to go on with other pictures.
 *
 * @throws {HatchlingError} When their names and sizes are others.
 */
export function checkSamePictures(
  before: Pick<CheckpointState, "extra">,
  { fingerprint }: Pick<Pictures, "fingerprint">,
): void {
  const then = before.extra?.data;
  if (then === undefined || then === fingerprint) return;
  throw new HatchlingError(
    "Expected the pictures that the run started with but files were added, removed or changed since: every " +
      "picture's place in the order would be another one. Put them back, or start a new run from this one's " +
      "weights with --weights",
  );
}

/** What is known of the pictures of earlier starts. */
export interface Earlier {
  /** Whether they lie elsewhere now. */
  moved: boolean;
  /** Files that were left out, where they lie now. */
  rows: readonly SkippedRow[];
}

/** Recognises pictures that lie elsewhere by the names and sizes of their files, and says so. */
export function earlierPictures(
  { dataset, fingerprint }: Pick<Pictures, "dataset" | "fingerprint">,
  { config, before, rows }: {
    config: Config;
    before?: Pick<CheckpointState, "config" | "extra">;
    rows: readonly SkippedRow[];
  },
): Earlier {
  const { path: from } = (before?.config as Partial<Config> | undefined)?.data ?? {};
  const { path: to } = config.data;
  // Without a fingerprint of its own only names are known of a data set.
  const same = dataset.fingerprint && before?.extra?.data === fingerprint;
  if (!same || typeof from !== "string" || to === null || from === to) {
    return { moved: false, rows };
  }
  say(`note: the pictures of ${shown(from)} are in ${shown(to)} now: names and sizes are the same`);
  const places = [[from, to], [dirname(from), dirname(to)]]; // of a folder, of a list
  const moved = (file: string) => {
    const place = places.find(([old]) => isWithin(file, old));
    return place ? join(place[1], relative(place[0], file)) : file;
  };
  return { moved: true, rows: rows.map((row) => ({ ...row, file: moved(row.file) })) };
}

function isWithin(file: string, folder: string): boolean {
  const path = relative(folder, file);
  return path !== "" && !path.startsWith("..") && !isAbsolute(path);
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
