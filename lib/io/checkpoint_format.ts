/**
 * A training checkpoint as the bytes of one safetensors file.
 *
 * Tensors: `student.*`, `teacher.*`, and the optimiser's moments, `exp_avg.*` and `exp_avg_sq.*` of AdamW and Adam,
 * `momentum_buffer.*` of SGD, under the checkpoint names of the parameters, and what losses keep, such as `center`. Metadata: what a run needs besides, as JSON texts, and a SHA-256 of
 * the whole file, so that a torn or damaged one is recognised.
 *
 * @module
 */
import { DamagedFileError, HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { sha256 } from "./digests.ts";
import { isFloating } from "./dtype.ts";
import { float32Tensor, type RawTensor, serializeSafetensors, toFloat32 } from "./safetensors.ts";
import { brief } from "./safetensors_header.ts";
import { readerOf, type SafetensorsReader } from "./safetensors_reader.ts";

/** Version of the layout; a file with another one is refused. */
export const CHECKPOINT_VERSION = 1;

/** `checkpoint-00000120.safetensors` for step 120. */
export function checkpointName(step: number): string {
  return `checkpoint-${String(step).padStart(8, "0")}.safetensors`;
}

const FORMAT = "hatchling-checkpoint";
const NETWORKS = ["student", "teacher"] as const;
/** As PyTorch calls them. */
const MOMENTS = ["exp_avg", "exp_avg_sq", "momentum_buffer"] as const;
const GROUPS = [...NETWORKS, ...MOMENTS] as const;

/** What losses keep: centres, and the weights that Gram anchoring compares with. */
const CENTERS: readonly string[] = ["center", "ibot_center"];
const ANCHOR = "gram_anchor.";
const isBuffer = (name: string) => CENTERS.includes(name) || name.startsWith(ANCHOR);

/** What a checkpoint's tensors are named after. */
export type CheckpointGroup = typeof GROUPS[number];

/** Stands in the header while the file is hashed: as long as the hash that replaces it. */
const NO_HASH = "0".repeat(64);

/** Everything that a run needs to go on bit by bit. Arrays are float32, row-major, by parameter name. */
export interface CheckpointState {
  /** Steps done, the number of the next step. */
  step: number;
  /** Epoch of the next step. */
  epoch: number;
  /** Shapes by parameter name, common to the groups below. */
  shapes: Map<string, readonly number[]>;
  /** Parameters of the student. */
  student: Map<string, Float32Array>;
  /** Parameters of the teacher; empty where there is none. */
  teacher: Map<string, Float32Array>;
  /**
   * The optimiser's moments by their name, `exp_avg` and `exp_avg_sq`, or `momentum_buffer`; parameters that are not
   * trained are missing.
   */
  moments: Map<string, Map<string, Float32Array>>;
  /** The optimiser's own step count of every parameter (a frozen one stands still). */
  stepCounts: Record<string, number>;
  /** What losses keep, by name: `center` and `ibot_center`, [K]; `gram_anchor.` and names of the backbone. */
  buffers: Map<string, Float32Array>;
  /** The resolved config of the run, as plain JSON. */
  config: unknown;
  /** Anything else worth keeping, as plain JSON. */
  extra?: Record<string, unknown>;
}

function groupsOf(state: CheckpointState): Map<string, Map<string, Float32Array>> {
  const { student, teacher, moments } = state;
  return new Map([["student", student], ["teacher", teacher], ...moments]);
}

/** Byte position of the 64 characters of the hash in length field and header, or -1. */
function hashPosition(head: Uint8Array, hash: string): number {
  const key = `"sha256":"${hash}"`;
  // one byte is one character here, so that positions agree
  const at = new TextDecoder("latin1").decode(head).indexOf(key);
  return at < 0 ? -1 : at + key.length - 1 - hash.length;
}

/**
 * The bytes of a checkpoint file; the same state gives the same bytes.
 *
 * @throws {HatchlingError} when a parameter has no shape or its shape does not fit.
 */
export function encodeCheckpoint(state: CheckpointState): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, RawTensor>(
    [...state.buffers].map(([name, data]) => [name, float32Tensor(data, [data.length])]),
  );
  for (const [prefix, group] of groupsOf(state)) {
    for (const [name, data] of group) {
      const shape = state.shapes.get(name);
      if (!shape) throw new HatchlingError(`Expected a shape for ${prefix}.${name} in shapes`);
      tensors.set(`${prefix}.${name}`, float32Tensor(data, shape));
    }
  }
  const bytes = serializeSafetensors(tensors, {
    format: FORMAT,
    version: String(CHECKPOINT_VERSION),
    step: JSON.stringify(state.step),
    epoch: JSON.stringify(state.epoch),
    step_counts: JSON.stringify(state.stepCounts),
    config: JSON.stringify(state.config ?? null),
    extra: JSON.stringify(state.extra ?? {}),
    sha256: NO_HASH,
  });
  const hash = sha256().update(bytes).digest("hex");
  const headEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  bytes.set(new TextEncoder().encode(hash), hashPosition(bytes.subarray(0, headEnd), NO_HASH));
  return bytes;
}

/** Whether a file is a checkpoint, as its header says. */
export function isCheckpoint({ metadata }: Pick<SafetensorsReader, "metadata">): boolean {
  return metadata.format === FORMAT;
}

/** Goes through the file once: every byte is hashed, the tensors that are wanted are kept. */
async function readChecked(
  reader: SafetensorsReader,
  wants: (name: string) => boolean,
): Promise<Map<string, RawTensor>> {
  const fail = (found: string): never => {
    throw new DamagedFileError(`${shown(reader.file)}: ${found}`);
  };
  const expected = reader.metadata.sha256;
  const head = reader.head.slice();
  const at = expected?.length === NO_HASH.length ? hashPosition(head, expected) : -1;
  if (at < 0) fail("expected a SHA-256 in the metadata: damaged");
  head.set(new TextEncoder().encode(NO_HASH), at);
  const hash = sha256().update(head);
  const tensors = new Map<string, RawTensor>();
  for (const name of reader.entries.keys()) {
    if (wants(name)) {
      const tensor = await reader.read(name);
      const { buffer, byteOffset, byteLength } = tensor.data;
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
      tensors.set(name, tensor);
    } else {
      for await (const piece of reader.pieces(name)) hash.update(piece);
    }
  }
  if (hash.digest("hex") !== expected) {
    fail("the checksum does not match: the file is damaged or was cut off while written");
  }
  return tensors;
}

function readJson(metadata: Readonly<Record<string, string>>, key: string, file: string): unknown {
  try {
    return JSON.parse(metadata[key]);
  } catch {
    throw new HatchlingError(
      `${file}: expected JSON under metadata ${key} but found ${brief(metadata[key])}`,
    );
  }
}

function readCount(metadata: Readonly<Record<string, string>>, key: string, file: string): number {
  const value = readJson(metadata, key, file);
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new HatchlingError(
      `${file}: expected ${key} ≥ 0 in the metadata but found ${brief(value)}`,
    );
  }
  return value as number;
}

/**
 * Reads a checkpoint and checks every byte of it.
 *
 * @param reader the open file.
 * @param groups what to keep: the others stay empty, and take no memory. The Gram anchor is kept with all of them.
 * @throws {HatchlingError} when it is no checkpoint, of another version, or damaged in any byte.
 */
export async function readCheckpoint(
  reader: SafetensorsReader,
  groups: readonly CheckpointGroup[] = GROUPS,
): Promise<CheckpointState> {
  const { metadata } = reader, file = shown(reader.file);
  if (!isCheckpoint(reader)) {
    throw new HatchlingError(
      `${file}: expected a training checkpoint but found a safetensors file without ` +
        `"format": "${FORMAT}" in its metadata; a file with weights only cannot be resumed`,
    );
  }
  const goesOn = groups.length === GROUPS.length;
  const groupOf = (name: string) => name.slice(0, name.indexOf(".")) as CheckpointGroup;
  const tensors = await readChecked(
    reader,
    (name) => name.startsWith(ANCHOR) ? goesOn : isBuffer(name) || groups.includes(groupOf(name)),
  );
  if (metadata.version !== String(CHECKPOINT_VERSION)) {
    throw new HatchlingError(
      `${file}: expected checkpoint version ${CHECKPOINT_VERSION} but found ` +
        `${shown(String(metadata.version).slice(0, 40))}: use the release that wrote it`,
    );
  }
  const state: CheckpointState = {
    step: readCount(metadata, "step", file),
    epoch: readCount(metadata, "epoch", file),
    shapes: new Map(),
    student: new Map(),
    teacher: new Map(),
    moments: new Map(),
    stepCounts: readJson(metadata, "step_counts", file) as Record<string, number>,
    buffers: new Map(),
    config: readJson(metadata, "config", file),
    extra: readJson(metadata, "extra", file) as Record<string, unknown>,
  };
  for (const { name, dtype } of reader.entries.values()) {
    if (!isBuffer(name) && !GROUPS.includes(groupOf(name))) {
      throw new HatchlingError(`${file}: unknown tensor ${brief(name)}`);
    }
    if (!isFloating(dtype)) {
      throw new HatchlingError(`${file}: expected floats in ${brief(name)} but found ${dtype}`);
    }
  }
  for (const [fullName, tensor] of tensors) {
    if (isBuffer(fullName)) state.buffers.set(fullName, toFloat32(tensor));
    else {
      const name = fullName.slice(fullName.indexOf(".") + 1), group = groupOf(fullName);
      if (group !== "student" && group !== "teacher" && !state.moments.has(group)) {
        state.moments.set(group, new Map());
      }
      groupsOf(state).get(group)!.set(name, toFloat32(tensor));
      state.shapes.set(name, tensor.shape);
    }
  }
  return state;
}

/**
 * Reads the bytes of a checkpoint file, as {@linkcode readCheckpoint} does. Arrays are views of `bytes`.
 *
 * @param bytes the whole file.
 * @param file how messages call it, usually its path.
 */
export async function decodeCheckpoint(
  bytes: Uint8Array<ArrayBuffer>,
  file = "checkpoint",
): Promise<CheckpointState> {
  using reader = await readerOf(bytes, file);
  return await readCheckpoint(reader);
}
