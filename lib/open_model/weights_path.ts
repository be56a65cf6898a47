/**
 * What a path of weights names: a run's folder, a file, a folder as Hugging Face's; and which network in it.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { exists } from "./weight_files.ts";

/** What shows that a folder holds a published model rather than a run. */
const PUBLISHED: readonly string[] = [
  "config.json",
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/** Weights as they were named. */
export interface NamedWeights {
  /** A run's folder, a file, or the folder of a published model. */
  path: string;
  /** Whether it is the folder of a run. */
  isRun: boolean;
  /** Which network, behind a `#`: `student`, `teacher`, what stands before its names, with `.backbone` or `.head`. */
  part?: string;
}

/**
 * Takes `FILE#PART` apart; a file whose own name has a `#` in it is that file.
 *
 * @param named As the command line has it.
 */
export async function namedWeights(named: string): Promise<NamedWeights> {
  const at = named.lastIndexOf("#");
  const whole = at < 1 || await exists(named);
  const path = whole ? named : named.slice(0, at);
  const part = whole ? undefined : named.slice(at + 1);
  const isFolder = (await Deno.stat(path).catch(() => undefined))?.isDirectory ?? false;
  return { path, isRun: isFolder && !await isPublished(path), ...part && { part } };
}

async function isPublished(folder: string): Promise<boolean> {
  if (await exists(join(folder, "config.yaml"))) return false;
  for (const name of PUBLISHED) if (await exists(join(folder, name))) return true;
  return false;
}

/**
 * The network of a run that stands behind its folder.
 *
 * @throws {HatchlingError} When a run has no such part.
 */
export function networkOfRun(folder: string, part = "teacher"): "student" | "teacher" {
  if (part === "student" || part === "teacher") return part;
  throw new HatchlingError(
    `Expected #student or #teacher behind the run ${shown(folder)} but found #${shown(part)}: ` +
      "other parts are of files",
  );
}
