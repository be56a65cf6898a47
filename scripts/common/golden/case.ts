/**
 * Reads a folder of fixtures: `manifest.json`, and per case a JSON and a safetensors file, as
 * tests/golden/README.md describes them.
 *
 * @module
 */
import { HatchlingError } from "../../../lib/errors.ts";
import { isFloating } from "../../../lib/io/dtype.ts";
import { readFile } from "../../../lib/io/files.ts";
import { parseSafetensors, type RawTensor, toFloat32 } from "../../../lib/io/safetensors.ts";
import { hex, shown } from "../../../lib/text.ts";

/** One row of the manifest. */
export interface ManifestCase {
  name: string;
  kind: string;
  /** File of the case's document. */
  json: string;
  /** File of its tensors; a schedule has none. */
  tensors?: string;
  /** SHA-256 of the tensors' file, in hex. */
  sha256?: string;
}

/** Limits for one tensor's difference from what is expected. */
export interface Noise {
  tol: number;
  tol_rms: number;
}

/** A case's document. Further fields hold expectations of their kind. */
export interface CaseDocument {
  name: string;
  kind: string;
  /** What defines the case; its runner knows the keys. */
  config: Record<string, unknown>;
  /** Expected scalars, possibly nested. */
  expected?: Record<string, unknown>;
  noise?: Record<string, Noise>;
  [field: string]: unknown;
}

/** A case, ready to run. */
export interface Case {
  name: string;
  kind: string;
  doc: CaseDocument;
  /** `in.*` and `out.*`. */
  tensors: Map<string, RawTensor>;
}

async function readJson(path: string): Promise<unknown> {
  const text = new TextDecoder().decode(await readFile(path));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HatchlingError(`${shown(path)}: expected JSON: ${shown((error as Error).message)}`);
  }
}

/** The cases that a folder lists. */
export async function readManifest(folder: string): Promise<ManifestCase[]> {
  const stat = await Deno.stat(folder).catch(() => null);
  if (!stat?.isDirectory) {
    throw new HatchlingError(
      `Expected a folder of fixtures but found ${stat ? "a file" : "nothing"} at ${folder}`,
    );
  }
  const path = `${folder}/manifest.json`;
  const manifest = await readJson(path) as { cases?: ManifestCase[] } | null;
  const cases = manifest?.cases;
  if (!Array.isArray(cases)) throw new HatchlingError(`${path}: expected a list of cases`);
  for (const { name, kind, json } of cases) {
    if (![name, kind, json].every((text) => typeof text === "string")) {
      throw new HatchlingError(`${path}: expected name, kind and json in every case`);
    }
  }
  return cases;
}

async function checkHash(path: string, bytes: Uint8Array<ArrayBuffer>, expected?: string) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = hex(digest);
  if (found !== expected) {
    throw new HatchlingError(`${path}: expected SHA-256 ${expected} but found ${found}`);
  }
}

/** Reads a case and checks its tensors' hash. */
export async function readCase(folder: string, row: ManifestCase): Promise<Case> {
  const { name, kind } = row;
  const doc = await readJson(`${folder}/${row.json}`) as CaseDocument;
  if (doc?.name !== name || doc.kind !== kind || typeof doc.config !== "object") {
    throw new HatchlingError(`${folder}/${row.json}: expected the document of ${kind} ${name}`);
  }
  if (row.tensors === undefined) return { name, kind, doc, tensors: new Map() };
  const path = `${folder}/${row.tensors}`;
  const bytes = await readFile(path);
  await checkHash(path, bytes, row.sha256);
  return { name, kind, doc, tensors: parseSafetensors(bytes, path).tensors };
}

/** The tensors whose names start with `prefix`, as float32, by the rest of their names. */
export function group(
  tensors: ReadonlyMap<string, RawTensor>,
  prefix: string,
): Map<string, Float32Array<ArrayBuffer>> {
  const out = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, tensor] of tensors) {
    if (name.startsWith(prefix)) out.set(name.slice(prefix.length), floats(tensor, name));
  }
  return out;
}

/** One given tensor. */
export function given(tensors: ReadonlyMap<string, RawTensor>, name: string): RawTensor {
  const tensor = tensors.get(`in.${name}`);
  if (!tensor) throw new HatchlingError(`Expected tensor in.${name} in the case`);
  return tensor;
}

/** The values of one given tensor, as float32. */
export function givenFloats(
  tensors: ReadonlyMap<string, RawTensor>,
  name: string,
): Float32Array<ArrayBuffer> {
  return floats(given(tensors, name), `in.${name}`);
}

/** The labels or indices of one given tensor. */
export function givenLabels(tensors: ReadonlyMap<string, RawTensor>, name: string): Int32Array {
  const { dtype, data } = given(tensors, name);
  if (data instanceof Int32Array) return data;
  throw new HatchlingError(`Expected I32 in tensor in.${name} but found ${dtype}`);
}

/** Whole numbers under a wrong label would give wrong values without a word. */
function floats(tensor: RawTensor, name: string): Float32Array<ArrayBuffer> {
  if (isFloating(tensor.dtype)) return toFloat32(tensor);
  throw new HatchlingError(
    `Expected F32, F16, BF16 or F64 in tensor ${shown(name)} but found ${tensor.dtype}`,
  );
}
