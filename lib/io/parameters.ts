/**
 * Between the parameters of a model and files of weights.
 *
 * @module
 */
import { float32Tensor, type RawTensor, serializeSafetensors } from "./safetensors.ts";

/** Named tensors whose values can be read and set, such as the `Parameters` of a model. */
export interface WeightStore {
  /** Every tensor's name and shape. */
  readonly all: readonly {
    readonly name: string;
    readonly data: { readonly shape: readonly number[] };
  }[];
  /** The values by name. */
  save(): Promise<ReadonlyMap<string, Float32Array>>;
  /** Sets all values by name. */
  load(values: ReadonlyMap<string, Float32Array>): void;
}

/**
 * What {@linkcode loadWeights} found beside the weights.
 *
 * @category Files
 */
export interface LoadedWeights {
  /** Parameters that the file does not hold and that keep their values: all of the head, or none. */
  missing: string[];
  /** Tensors of the file that are no part of the backbone, and of no use here: heads, states of optimisers. */
  unused: string[];
}

/**
 * The values of parameters with their shapes, as {@linkcode serializeSafetensors} takes them.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { loadWeights, serializeSafetensors, weightTensors } from "@hatchling/hatchling/io";
 * import { Parameters } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const specs = [{ name: "w", shape: [2, 3], init: { constant: 1 } }];
 * const [from, to] = [new Parameters(gpu, specs), new Parameters(gpu, specs)];
 * const bytes = serializeSafetensors(await weightTensors(from), { note: "untrained" });
 * await loadWeights(bytes, to);
 * gpu.destroy();
 * ```
 */
export async function weightTensors(params: WeightStore): Promise<Map<string, RawTensor>> {
  const values = await params.save();
  return new Map(params.all.map(({ name, data }) => {
    return [name, float32Tensor(values.get(name)!, data.shape)];
  }));
}

/**
 * Writes weights as safetensors in float32, under the names of timm and facebookresearch/dino. The file is either
 * whole or not there. Needs the permission to write.
 *
 * @param path The file; what was there is replaced.
 * @throws {HatchlingError} When it cannot be written.
 *
 * @example
 * ```ts ignore
 * import { loadWeights, saveWeights } from "@hatchling/hatchling";
 *
 * await saveWeights("teacher.safetensors", trainer.evaluated);
 * await loadWeights("teacher.safetensors", trainer.student);
 * ```
 *
 * @category Files
 */
export async function saveWeights(path: string, params: WeightStore): Promise<void> {
  const { writeFileAtomic } = await import("./atomic.ts");
  await writeFileAtomic(
    path,
    serializeSafetensors(await weightTensors(params), { format: "pt" }),
  );
}

/**
 * Fills parameters from a file of weights, safetensors or PyTorch's, of this project, timm or facebookresearch/dino:
 * only what the model needs is read. `module.` and `backbone.` before a name are dropped; of a checkpoint of this project the teacher
 * is taken. A file without a head will do: the head then keeps its values.
 *
 * @param source Path of the file, which needs the permission to read, or its bytes.
 * @param params What is filled; unchanged where an error is thrown.
 * @throws {DamagedFileError} When the file is damaged or of another kind, or holds NaN or infinity.
 * @throws {HatchlingError} When it cannot be read, or is another model's: each difference is named.
 *
 * @category Files
 */
export async function loadWeights(
  source: string | Uint8Array<ArrayBuffer>,
  params: WeightStore,
): Promise<LoadedWeights> {
  const { readWeights } = await import("./weights.ts");
  const expected = params.all.map(({ name, data: { shape } }) => ({ name, shape }));
  const { weights, missing, unused } = await readWeights(source, expected);
  params.load(missing.length ? new Map([...await params.save(), ...weights]) : weights);
  return { missing, unused };
}

/** Weights that were read, and what else was found. */
export interface ReadWeights extends LoadedWeights {
  /** Values by parameter name. */
  weights: Map<string, Float32Array>;
}

/**
 * Weights for a model from the bytes of a file, as {@linkcode loadWeights} takes them; no GPU is needed, and no disk.
 *
 * @param specs Names and shapes of what the model holds: `model.specs()`.
 * @throws {DamagedFileError} When the file is damaged or of another kind, or holds NaN or infinity.
 * @throws {HatchlingError} When it is another model's: each difference is named.
 *
 * @example
 * ```ts
 * import { float32Tensor, serializeSafetensors, weightsFrom } from "@hatchling/hatchling/io";
 *
 * const bytes = serializeSafetensors(
 *   new Map([["cls_token", float32Tensor(Float32Array.of(1, 2), [1, 1, 2])]]),
 * );
 * const { weights } = await weightsFrom(bytes, [{ name: "cls_token", shape: [1, 1, 2] }]);
 * console.assert(weights.get("cls_token")![1] === 2);
 * ```
 *
 * @category Files
 */
export async function weightsFrom(
  bytes: Uint8Array<ArrayBuffer>,
  specs: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Promise<ReadWeights> {
  const { readWeights } = await import("./weights.ts");
  const expected = specs.map(({ name, shape }) => ({ name, shape }));
  const { weights, missing, unused } = await readWeights(bytes, expected);
  return { weights, missing, unused };
}
