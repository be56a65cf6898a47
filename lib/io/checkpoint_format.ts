/**
 * A training checkpoint as the bytes of one safetensors file.
 *
 * Tensors: `student.*`, `teacher.*`, `exp_avg.*`, `exp_avg_sq.*` (AdamW's moments) and `center`, under the
 * checkpoint names of the parameters. Metadata: what a run needs besides, as JSON texts, and a SHA-256 of
 * the whole file, so that a torn or damaged one is recognised.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import {
  float32Tensor,
  parseSafetensors,
  type RawTensor,
  serializeSafetensors,
  toFloat32,
} from "./safetensors.ts";

/** Version of the layout; a file with another one is refused. */
export const CHECKPOINT_VERSION = 1;

const FORMAT = "hatchling-checkpoint";
const GROUPS = ["student", "teacher", "exp_avg", "exp_avg_sq"] as const;
/** Stands in the header while the file is hashed: as long as the hash that replaces it. */
const NO_HASH = "0".repeat(64);

/** Everything that a run needs to go on bit by bit. Arrays are float32, row-major, by parameter name. */
export interface CheckpointState {
  /** Steps done, the number of the next step. */
  step: number;
  /** Epoch of the next step. */
  epoch: number;
  /** Shapes by parameter name, common to the four groups below. */
  shapes: Map<string, readonly number[]>;
  /** Parameters of the student. */
  student: Map<string, Float32Array>;
  /** Parameters of the teacher. */
  teacher: Map<string, Float32Array>;
  /** AdamW's first moments; parameters that were never updated may be missing. */
  expAvg: Map<string, Float32Array>;
  /** AdamW's second moments; parameters that were never updated may be missing. */
  expAvgSq: Map<string, Float32Array>;
  /** AdamW's own step count of every parameter (a frozen one stands still). */
  stepCounts: Record<string, number>;
  /** The loss's centre, [K]. */
  center: Float32Array;
  /** The resolved config of the run, as plain JSON. */
  config: unknown;
  /** Anything else worth keeping, as plain JSON. */
  extra?: Record<string, unknown>;
}

function groupsOf(state: CheckpointState): Map<string, Float32Array>[] {
  return [state.student, state.teacher, state.expAvg, state.expAvgSq];
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Byte position of the 64 characters of the hash in the header, or -1. */
function hashPosition(bytes: Uint8Array, hash: string): number {
  const key = `"sha256":"${hash}"`;
  // one byte is one character here, so that positions agree
  const header = new TextDecoder("latin1").decode(bytes.subarray(0, headerEnd(bytes)));
  const at = header.indexOf(key);
  return at < 0 ? -1 : at + key.length - 1 - hash.length;
}

function headerEnd(bytes: Uint8Array): number {
  return 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

/**
 * The bytes of a checkpoint file; the same state gives the same bytes.
 *
 * @throws {HatchlingError} when a parameter has no shape or its shape does not fit.
 */
export async function encodeCheckpoint(
  state: CheckpointState,
): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = new Map<string, RawTensor>([
    ["center", float32Tensor(state.center, [state.center.length])],
  ]);
  groupsOf(state).forEach((group, i) => {
    for (const [name, data] of group) {
      const shape = state.shapes.get(name);
      if (!shape) throw new HatchlingError(`Expected a shape for ${GROUPS[i]}.${name} in shapes`);
      tensors.set(`${GROUPS[i]}.${name}`, float32Tensor(data, shape));
    }
  });
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
  const hash = await sha256(bytes);
  bytes.set(new TextEncoder().encode(hash), hashPosition(bytes, NO_HASH));
  return bytes;
}

async function checkHash(
  bytes: Uint8Array<ArrayBuffer>,
  hash: string | undefined,
  file: string,
): Promise<void> {
  const at = hash?.length === NO_HASH.length ? hashPosition(bytes, hash) : -1;
  if (at < 0) throw new HatchlingError(`${file}: expected a SHA-256 in the metadata: damaged`);
  const zeros = new TextEncoder().encode(NO_HASH);
  const own = bytes.slice(at, at + zeros.length);
  bytes.set(zeros, at);
  const found = await sha256(bytes);
  bytes.set(own, at);
  if (found !== hash) {
    throw new HatchlingError(
      `${file}: the checksum does not match: the file is damaged or was cut off while written`,
    );
  }
}

function readJson(metadata: Record<string, string>, key: string, file: string): unknown {
  try {
    return JSON.parse(metadata[key]);
  } catch {
    throw new HatchlingError(
      `${file}: expected JSON under metadata ${key} but found ${metadata[key]}`,
    );
  }
}

function readCount(metadata: Record<string, string>, key: string, file: string): number {
  const value = readJson(metadata, key, file);
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new HatchlingError(`${file}: expected ${key} ≥ 0 in the metadata but found ${value}`);
  }
  return value as number;
}

/**
 * Reads the bytes of a checkpoint file. Arrays are views of `bytes`.
 *
 * @param bytes the whole file.
 * @param file how messages call it, usually its path.
 * @throws {HatchlingError} when it is no checkpoint, of another version, or damaged in any byte.
 */
export async function decodeCheckpoint(
  bytes: Uint8Array<ArrayBuffer>,
  file = "checkpoint",
): Promise<CheckpointState> {
  const { tensors, metadata } = parseSafetensors(bytes, file);
  if (metadata.format !== FORMAT) {
    throw new HatchlingError(
      `${file}: expected a training checkpoint but found a safetensors file without ` +
        `"format": "${FORMAT}" in its metadata; a file with weights only cannot be resumed`,
    );
  }
  await checkHash(bytes, metadata.sha256, file);
  if (metadata.version !== String(CHECKPOINT_VERSION)) {
    throw new HatchlingError(
      `${file}: expected checkpoint version ${CHECKPOINT_VERSION} but found ${metadata.version}: ` +
        "use the release that wrote it",
    );
  }
  const state: CheckpointState = {
    step: readCount(metadata, "step", file),
    epoch: readCount(metadata, "epoch", file),
    shapes: new Map(),
    student: new Map(),
    teacher: new Map(),
    expAvg: new Map(),
    expAvgSq: new Map(),
    stepCounts: readJson(metadata, "step_counts", file) as Record<string, number>,
    center: new Float32Array(0),
    config: readJson(metadata, "config", file),
    extra: readJson(metadata, "extra", file) as Record<string, unknown>,
  };
  const groups = groupsOf(state);
  for (const [fullName, tensor] of tensors) {
    const dot = fullName.indexOf(".");
    const group = GROUPS.findIndex((prefix) => prefix === fullName.slice(0, dot));
    if (fullName === "center") state.center = toFloat32(tensor);
    else if (group < 0) throw new HatchlingError(`${file}: unknown tensor ${fullName}`);
    else {
      groups[group].set(fullName.slice(dot + 1), toFloat32(tensor));
      state.shapes.set(fullName.slice(dot + 1), tensor.shape);
    }
  }
  return state;
}
