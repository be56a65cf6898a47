/**
 * Weights to start from: files of this project, of timm, Hugging Face, facebookresearch and torchvision.
 *
 * @module
 */
import { DamagedFileError } from "../errors.ts";
import { shown } from "../text.ts";
import { type CheckpointState, isCheckpoint, readCheckpoint } from "./checkpoint_format.ts";
import { type Dtype, toFloat32 } from "./dtype.ts";
import type { Resizing, Source } from "./names/pieces.ts";
import { brief, type HeaderEntry } from "./safetensors_header.ts";
import { SafetensorsReader } from "./safetensors_reader.ts";
import { type ExpectedWeight, matchWeights } from "./weight_names.ts";
import type { WeightsFile } from "./tensor_file.ts";
import { openWeightsBytes } from "./weights_source.ts";

export type { ExpectedWeight } from "./weight_names.ts";

/** What was found in a file. */
export interface FoundWeights {
  /** Values by parameter name. */
  weights: Map<string, Float32Array>;
  /** Expected parameters that the file does not hold: all of the head, or none. */
  missing: string[];
  /** Tensors of the file that are no part of the backbone, and of no use here: heads, states of optimisers. */
  unused: string[];
  /** Tensors that were not float32, by what they were. */
  cast: Map<Dtype, number>;
  /** Between which grids the position embedding was resampled, where it was. */
  resized?: Resizing;
  /** Whose names the file's are. */
  names: string;
}

/** How {@linkcode readWeights} reads. */
export interface ReadWeightsOptions {
  /** Which network of the file: `student`, `teacher`, or what stands before its names; `backbone`: without heads. */
  part?: string;
  /**
   * Resamples a position embedding [from², D] to [to², D]. Without it, one of another grid is an error.
   */
  resample?(values: Float32Array, resizing: Resizing): Float32Array;
}

/**
 * Reads weights by name: first what the file says of itself, then only what the model needs. Names are those of timm,
 * facebookresearch, Hugging Face or torchvision, whatever stands before them; of student and teacher the teacher is
 * taken; of a checkpoint of this project every byte is checked. A file without a head will do.
 *
 * @param source Path of a file of weights, or its bytes.
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
  options: ReadWeightsOptions = {},
): Promise<FoundWeights> {
  using reader =
    await (typeof source === "string"
      ? (await import("./weights_file.ts")).openWeightsFile(source) // it needs a disk
      : openWeightsBytes(source, "the bytes given"));
  if (!isOwnCheckpoint(reader)) return await weightsIn(reader, expected, options);
  const who = networkIn(reader, options.part);
  // What the header says costs nothing, so it comes first.
  matchWeights(reader.file, entriesOf(reader, who), expected);
  return weightsOf(await readCheckpoint(reader, [who]), who, reader.file, expected);
}

/** Whether a file is a checkpoint of this project, which says more than its weights. */
export function isOwnCheckpoint(file: WeightsFile): file is SafetensorsReader {
  return file instanceof SafetensorsReader && isCheckpoint(file);
}

/** The network of a checkpoint to use: the one asked for, its teacher, or the student of a run that has none. */
export function networkIn(reader: SafetensorsReader, part?: string): "student" | "teacher" {
  if (part === "student" || !entriesOf(reader, "teacher").length) return "student";
  return "teacher";
}

function entriesOf(reader: SafetensorsReader, who: "student" | "teacher"): HeaderEntry[] {
  return [...reader.entries.values()].flatMap((entry) =>
    entry.name.startsWith(`${who}.`) ? [{ ...entry, name: entry.name.slice(who.length + 1) }] : []
  );
}

/** Reads the weights of an open file that is no checkpoint, as {@linkcode readWeights} does. */
export async function weightsIn(
  reader: WeightsFile,
  expected: readonly ExpectedWeight[],
  { part, resample }: ReadWeightsOptions = {},
): Promise<FoundWeights> {
  const { file } = reader;
  const matched = matchWeights(file, [...reader.entries.values()], expected, {
    part,
    resizable: !!resample,
  });
  const weights = new Map<string, Float32Array>(), cast = new Map<Dtype, number>();
  for (const [name, source] of matched.sources) {
    let values = await valuesOf(reader, source, cast);
    const { masked, resize } = source;
    if (masked) values = values.slice().fill(0, ...masked);
    if (resize) values = resized(values, resize, resample!);
    weights.set(name, values);
  }
  return {
    weights,
    missing: matched.missing,
    unused: matched.unused,
    cast,
    resized: matched.sources.get("pos_embed")?.resize,
    names: matched.network.layout.title,
  };
}

/** A parameter's values: one tensor as it is, several and zeros one after the other. */
async function valuesOf(
  reader: WeightsFile,
  { values }: Source,
  cast: Map<Dtype, number>,
): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for (const value of values) {
    if ("zeros" in value) {
      parts.push(new Float32Array(value.zeros));
      continue;
    }
    const tensor = await reader.read(value.tensor);
    if (tensor.dtype !== "F32") cast.set(tensor.dtype, (cast.get(tensor.dtype) ?? 0) + 1);
    const part = toFloat32(tensor);
    checkFinite(part, value.tensor, reader.file);
    parts.push(part);
  }
  if (parts.length === 1) return parts[0];
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A position embedding of another grid. */
function resized(
  values: Float32Array,
  resizing: Resizing,
  resample: NonNullable<ReadWeightsOptions["resample"]>,
): Float32Array {
  const { before, from } = resizing;
  const own = before * values.length / (before + from * from);
  const grid = resample(values.subarray(own), resizing);
  const all = new Float32Array(own + grid.length);
  all.set(values.subarray(0, own));
  all.set(grid, own);
  return all;
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
  const { sources, missing, unused, network } = matchWeights(file, entries, expected);
  const weights = new Map([...sources.keys()].map((name) => [name, state[who].get(name)!]));
  for (const [name, values] of weights) checkFinite(values, `${who}.${name}`, file);
  return { weights, missing, unused, cast: new Map(), names: network.layout.title };
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
