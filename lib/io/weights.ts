/**
 * Weights to start from: files of this project, of timm and of facebookresearch/dino, as safetensors.
 *
 * @module
 */
import { DamagedFileError } from "../errors.ts";
import { shown } from "../text.ts";
import { type CheckpointState, isCheckpoint, readCheckpoint } from "./checkpoint_format.ts";
import { toFloat32 } from "./dtype.ts";
import { brief, type HeaderEntry } from "./safetensors_header.ts";
import { openSafetensors, readerOf, type SafetensorsReader } from "./safetensors_reader.ts";
import { type ExpectedWeight, matchWeights } from "./weight_names.ts";

export type { ExpectedWeight } from "./weight_names.ts";

/** What was found in a file. */
export interface FoundWeights {
  /** Values by parameter name. */
  weights: Map<string, Float32Array>;
  /** Expected parameters that the file does not hold: all of the head, or none. */
  missing: string[];
  /** Tensors of the file that are no part of the backbone, and of no use here: heads, states of optimisers. */
  unused: string[];
}

/**
 * Reads weights by name: first the header, then only what the model needs. `module.` and `backbone.` before a
 * name are dropped; of a checkpoint of this project the teacher is taken, and every byte is checked. A file
 * without a head (names that start with `head.`, `ibot_head.`, `contrastive_head.`) will do.
 *
 * @param source Path of a safetensors file, or its bytes.
 * @param expected What the model holds.
 * @throws {DamagedFileError} When the file is damaged or of another kind, or holds NaN or infinity.
 * @throws {HatchlingError} When it cannot be read or holds another network: a parameter of the backbone or a part
 * of the head is missing, one that the model does not have is there, a name comes twice, a shape differs, or
 * numbers are not floating point; naming each.
 *
 * @example
 * ```ts ignore
 * import { readWeights } from "./weights.ts";
 *
 * const { weights, missing } = await readWeights("runs/a/teacher.safetensors", model.specs());
 * trainer.load(new Map([...initialize(model.specs(), 0), ...weights]));
 * ```
 */
export async function readWeights(
  source: string | Uint8Array<ArrayBuffer>,
  expected: readonly ExpectedWeight[],
): Promise<FoundWeights> {
  using reader =
    await (typeof source === "string"
      ? openSafetensors(source)
      : readerOf(source, "the bytes given"));
  if (!isCheckpoint(reader)) return await weightsIn(reader, expected);
  const who = networkIn(reader);
  // What the header says costs nothing, so it comes first.
  matchWeights(reader.file, entriesOf(reader, who), expected);
  return weightsOf(await readCheckpoint(reader, [who]), who, reader.file, expected);
}

/** The network of a checkpoint to use: its teacher, or the student of a run that has none. */
export function networkIn(reader: SafetensorsReader): "student" | "teacher" {
  return entriesOf(reader, "teacher").length ? "teacher" : "student";
}

function entriesOf(reader: SafetensorsReader, who: "student" | "teacher"): HeaderEntry[] {
  return [...reader.entries.values()].flatMap((entry) =>
    entry.name.startsWith(`${who}.`) ? [{ ...entry, name: entry.name.slice(who.length + 1) }] : []
  );
}

/** Reads the weights of an open file that is no checkpoint, as {@linkcode readWeights} does. */
export async function weightsIn(
  reader: SafetensorsReader,
  expected: readonly ExpectedWeight[],
): Promise<FoundWeights> {
  const { file } = reader;
  const { names, missing, unused } = matchWeights(file, [...reader.entries.values()], expected);
  const weights = new Map<string, Float32Array>();
  for (const [name, inFile] of names) {
    const values = toFloat32(await reader.read(inFile));
    checkFinite(values, inFile, file);
    weights.set(name, values);
  }
  return { weights, missing, unused };
}

/** The weights of a checkpoint that was read, checked as {@linkcode readWeights} does. */
export function weightsOf(
  state: CheckpointState,
  who: "student" | "teacher",
  file: string,
  expected: readonly ExpectedWeight[],
): FoundWeights {
  const entries = [...state[who].keys()].map((name) => {
    return { name, dtype: "F32" as const, shape: [...state.shapes.get(name)!] };
  });
  const { names, missing, unused } = matchWeights(file, entries, expected);
  const weights = new Map([...names].map(([name, inFile]) => [name, state[who].get(inFile)!]));
  for (const [name, values] of weights) checkFinite(values, `${who}.${name}`, file);
  return { weights, missing, unused };
}

function checkFinite(values: Float32Array, name: string, file: string): void {
  let at = 0; // a loop: four times as fast as findIndex()
  while (at < values.length && Number.isFinite(values[at])) at++;
  if (at === values.length) return;
  throw new DamagedFileError(
    `${shown(file)}: expected finite numbers in float32 but found ${values[at]} in ${
      brief(name)
    }, at ${at}: it is damaged, or its training failed; take another file`,
  );
}
