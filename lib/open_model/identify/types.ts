/**
 * What is known of a model before its tensors are read.
 *
 * @module
 */
import type { Config } from "../../config.ts";

/** What is known besides the tensors. */
export interface IdentifyOptions {
  /** How messages call the file. */
  file: string;
  /** Which network of the file, as of `findNetwork`. */
  part?: string;
  /** Hugging Face's or timm's config.json, parsed. */
  config?: unknown;
  /** Hugging Face's preprocessor_config.json, parsed. */
  preprocessor?: unknown;
  /** Attention heads, where somebody has said them. */
  heads?: number;
  /** Whether a command line asks, and can say more: then messages name its options. */
  commandLine?: boolean;
}

/** Keys of section `model`. */
export type ModelKeys = Partial<Omit<Config["model"], "backbone">> & { backbone?: string };

/** A model that was recognised. */
export interface Identified {
  /** What it is, in words: "ViT-S/14, dim 384, …". */
  family: string;
  /** Whose names the file has. */
  names: string;
  /** Its shape as keys of section `model`. */
  model: ModelKeys;
  /** Keys of its head, where it has DINO's. */
  projection?: ModelKeys;
  /** How pictures get to it. */
  pictures: Pictures;
}

/** Pictures as a model takes them. */
export interface Pictures {
  /** Pixels per side. */
  imageSize: number;
  /** Mean per channel; undefined where nothing is known of such channels. */
  mean?: number[];
  /** Standard deviation per channel. */
  std?: number[];
  /** Where they are from, in words. */
  from: string;
}
