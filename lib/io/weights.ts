/**
 * Weights to start from: files of this project, of timm and of facebookresearch/dino, as safetensors.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { readFile } from "./files.ts";
import { parseSafetensors, toFloat32 } from "./safetensors.ts";

/** A parameter that a model expects. */
export interface ExpectedWeight {
  /** Its name, as in timm and facebookresearch/dino. */
  name: string;
  /** Its shape. */
  shape: readonly number[];
}

/** What was found in a file. */
export interface FoundWeights {
  /** Values by parameter name. */
  weights: Map<string, Float32Array>;
  /** Expected parameters that the file does not hold: all of the head, or none. */
  missing: string[];
  /** Tensors of the file that the model has no use for. */
  unused: string[];
}

/** What training frameworks put before a name. */
const PREFIXES = ["module.", "backbone."];

/**
 * Reads weights by name. `module.` and `backbone.` before a name are dropped; of a checkpoint of this project
 * the teacher is taken. A file without a head (names that start with `head.`) will do.
 *
 * @param path A safetensors file.
 * @param expected What the model holds.
 * @throws {HatchlingError} When it cannot be read, lacks a parameter of the backbone or a part of the head, or
 * a shape differs: naming each.
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
  path: string,
  expected: readonly ExpectedWeight[],
): Promise<FoundWeights> {
  const { tensors, metadata } = parseSafetensors(await readFile(path), path);
  const isCheckpoint = metadata.format === "hatchling-checkpoint";
  const named = new Map([...tensors].flatMap(([name, tensor]) => {
    if (isCheckpoint && !name.startsWith("teacher.")) return [];
    let short = isCheckpoint ? name.slice("teacher.".length) : name;
    for (const prefix of PREFIXES) if (short.startsWith(prefix)) short = short.slice(prefix.length);
    return [[short, tensor] as const];
  }));
  const weights = new Map<string, Float32Array>();
  const missing: string[] = [], faults: string[] = [];
  for (const { name, shape } of expected) {
    const tensor = named.get(name);
    if (!tensor) missing.push(name);
    else if (tensor.shape.join() !== shape.join()) {
      faults.push(`${name}: expected [${shape.join(", ")}] but found [${tensor.shape.join(", ")}]`);
    } else weights.set(name, toFloat32(tensor));
  }
  const inHead = (name: string) => name.startsWith("head.");
  const noHead = expected.every(({ name }) => !inHead(name) || missing.includes(name));
  const lacking = missing.filter((name) => !noHead || !inHead(name));
  faults.push(...lacking.map((name) => `${name}: missing`));
  if (faults.length) {
    const shown = faults.slice(0, 8).map((fault) => `\n  ${fault}`).join("");
    const more = faults.length > 8 ? `\n  and ${faults.length - 8} more` : "";
    throw new HatchlingError(
      `Expected the weights of this model in ${path} but found another one's:${shown}${more}\n` +
        "Set the model section (patch_size, dim, depth, heads, the head's sizes, augmentation.global_crop_size) " +
        "to what the file was trained with",
    );
  }
  const known = new Set(expected.map(({ name }) => name));
  return { weights, missing, unused: [...named.keys()].filter((name) => !known.has(name)) };
}
