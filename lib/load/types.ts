/**
 * What is asked for, and what is found.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { FoundModel } from "../open_model/model_in.ts";

/** A run's folder, a file of weights or their address; or the file itself. */
export type ModelSource = string | URL | Uint8Array<ArrayBuffer> | ArrayBuffer | Blob;

/** What is known beside the source. */
export interface SourceOptions {
  /** Configuration of the model where it is not that of its run: a YAML text, or the configuration itself. */
  config?: string | Config;
  /** Which network of the file or run: `student`, `teacher`, or what stands before its names. */
  part?: string;
  /** Told what a file without a configuration holds, and what is passed over as damaged. */
  onNote?: (message: string) => void;
}

/** A model, and what lies beside its weights. */
export interface SourcedModel extends FoundModel {
  /** The file of the weights, for messages. */
  file: string;
  /** A file beside the weights; undefined where there is none. */
  beside(name: string): Promise<Uint8Array | undefined>;
}
