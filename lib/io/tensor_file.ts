/**
 * What every file of weights offers, whatever its format.
 *
 * @module
 */
import type { RawTensor } from "./dtype.ts";
import type { FoundTensor } from "./weight_names.ts";

/** A file of weights, or a folder of them, that is open. One read at a time. */
export interface WeightsFile extends Disposable {
  /** How messages call it, usually its path. */
  readonly file: string;
  /** What it holds, by name; what a checkpoint nests is joined by dots, e.g. `teacher.backbone.cls_token`. */
  readonly entries: ReadonlyMap<string, FoundTensor>;
  /** Texts that it carries: of safetensors, its metadata; of a checkpoint, its numbers and short strings. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Hugging Face's `config.json` beside it, parsed. */
  readonly config?: unknown;
  /** Its `preprocessor_config.json`, parsed. */
  readonly preprocessor?: unknown;
  /**
   * Reads one tensor.
   *
   * @throws {HatchlingError} When there is none of this name, or the file is damaged or cannot be read.
   */
  read(name: string): Promise<RawTensor>;
}
