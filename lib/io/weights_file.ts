/**
 * Files of weights, whatever their format: what they hold is known at once, and each tensor is read when it is asked
 * for.
 *
 * @module
 */
import type { RawTensor } from "./dtype.ts";
import { openSafetensors } from "./safetensors_reader.ts";
import type { FoundTensor } from "./weight_names.ts";

/** A file of weights, or a folder of them, that is open. */
export interface WeightsFile extends Disposable {
  /** How messages call it, usually its path. */
  readonly file: string;
  /** What it holds, by name; what a checkpoint nests is joined by dots, e.g. `teacher.backbone.cls_token`. */
  readonly entries: ReadonlyMap<string, FoundTensor>;
  /** Texts that it carries: of safetensors, its metadata; of a checkpoint, its numbers and short strings. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Hugging Face's `config.json` beside it, parsed. */
  readonly config?: unknown;
  /**
   * Reads one tensor.
   *
   * @throws {HatchlingError} When there is none of this name, or the file is damaged or cannot be read.
   */
  read(name: string): Promise<RawTensor>;
}

/**
 * Opens a file of weights and checks what it says of itself. No tensor is read yet.
 *
 * @param path A `.safetensors` file.
 * @throws {DamagedFileError} When it is damaged or of another kind.
 * @throws {HatchlingError} When it cannot be read.
 *
 * @example
 * ```ts ignore
 * import { openWeightsFile } from "./weights_file.ts";
 *
 * using file = await openWeightsFile("teacher.safetensors");
 * for (const { name, dtype, shape } of file.entries.values()) console.log(name, dtype, shape);
 * const { data } = await file.read("cls_token");
 * ```
 */
export async function openWeightsFile(path: string): Promise<WeightsFile> {
  return await openSafetensors(path);
}
