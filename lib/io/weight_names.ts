/**
 * Which tensors of a file are the parameters of a model, by name, shape and type.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { isFloating } from "./dtype.ts";
import { findNetwork, type Network } from "./names/networks.ts";
import { isSameShape, positionsFor, type Source, sourceOf } from "./names/pieces.ts";
import { parameterOf } from "./names/layouts.ts";
import { brief, type HeaderEntry } from "./safetensors_header.ts";

/** A parameter that a model expects. */
export interface ExpectedWeight {
  /** Its name, as in timm and facebookresearch/dino. */
  name: string;
  /** Its shape. */
  shape: readonly number[];
}

/** What a header says of a tensor. */
export type FoundTensor = Pick<HeaderEntry, "name" | "dtype" | "shape">;

/** How {@linkcode matchWeights} matches. */
export interface MatchOptions {
  /** Which network of the file, as of `findNetwork`. */
  part?: string;
  /** Whether a position embedding of another grid will do, as it is resampled then. */
  resizable?: boolean;
}

/** A file that fits a model. */
export interface MatchedWeights {
  /** Where each parameter comes from, by its name. */
  sources: Map<string, Source>;
  /** Expected parameters that the file does not hold: all of a head, or none; or the mask token. */
  missing: string[];
  /** Tensors of the file that are no part of a backbone. */
  unused: string[];
  /** The network that was taken. */
  network: Network<FoundTensor>;
}

/**
 * What changes no feature: heads of DINO, iBOT and DINOv2, classifiers of timm (`head`, DeiT's `head_dist`,
 * ImageNet-21k's `pre_logits`) and torchvision, linear probes, projectors, the decoder of MAE, the token that
 * stands for masked patches while training, states of optimisers and losses. `fc_norm` is not among them: it
 * stands in the place of `norm`, after a mean of patch tokens.
 */
const NO_BACKBONE = new RegExp(
  "^((head(_dist)?|fc|classifier|linear|pre_logits|projectors?|predictor|dino_head|ibot_head|contrastive_head|" +
    "optimizer|exp_avg|exp_avg_sq|dino_loss)\\.|decoder[._])|^(mask_token|masked_embed|center)$",
);

/** Parts that other vision transformers have, and what they are called. */
const PARTS: readonly [RegExp, string][] = [
  [/\.(ls[12]\.gamma|gamma_[12])$/, "LayerScale"],
  [/^(reg_token|register_tokens|storage_tokens)$/, "register tokens"],
  [/\.attn\.[qk]_norm\./, "norms of queries and keys"],
  [/^norm_pre\./, "a norm before the blocks"],
  [/^fc_norm\./, "features that are a mean of patch tokens"],
  [/^dist_token$/, "a distillation token"],
  [/\.mlp\.(w12|w3|fc1_g|norm)\b/, "a gated or normed MLP"],
];

/** Faults that a message lists. */
const LISTED = 8;

/**
 * Finds a model's parameters among the tensors of a file.
 *
 * @param file How messages call it.
 * @throws {HatchlingError} When it holds another network, naming each fault.
 */
export function matchWeights(
  file: string,
  tensors: readonly FoundTensor[],
  expected: readonly ExpectedWeight[],
  { part, resizable = false }: MatchOptions = {},
): MatchedWeights {
  const network = findNetwork(file, tensors, part);
  const faults: string[] = [], extra: string[] = [];
  const sources = new Map<string, Source>(), missing: string[] = [];
  const dtypes = new Map(tensors.map(({ name, dtype }) => [name, dtype]));
  for (const { name, shape } of expected) {
    const found = sourceOf(network, name);
    if (!found) {
      missing.push(name);
      continue;
    }
    const source = isSameShape(found.shape, shape)
      ? found
      : name === "pos_embed"
      ? positionsFor(found, shape)
      : undefined;
    const whole = source &&
      tensorsOf(source).map((name) => dtypes.get(name)!).find((dtype) => !isFloating(dtype));
    if (!source || source.resize && !resizable) {
      faults.push(`${name}: expected ${shapeText(shape)} but found ${shapeText(found.shape)}`);
    } else if (whole) {
      faults.push(`${name}: expected F32, F16, BF16 or F64 but found ${whole}`);
    } else sources.set(name, source);
  }
  const has = (head: string) =>
    expected.some(({ name }) => headOf(name) === head && sources.has(name));
  const lacking = missing.filter((name) => {
    const head = headOf(name);
    return head === undefined || has(head);
  });
  faults.push(...lacking.map((name) => `${name}: missing`));

  const used = new Set([...sources.values()].flatMap(tensorsOf));
  const known = new Set(expected.map(({ name }) => name));
  const unused = network.others.map(({ name }) => name);
  for (const [name, tensor] of network.tensors) {
    if (used.has(tensor.name)) continue;
    const ours = parameterOf(network.layout, name);
    if (known.has(ours)) continue; // its fault is among the others
    // A head that is taken must be taken whole.
    const ofHead = has("head") && name.startsWith("head.mlp.");
    const aside = NO_BACKBONE.test(ours) || network.layout.ignored.test(name);
    if (aside && !ofHead) unused.push(tensor.name);
    else extra.push(ours);
  }
  // What the model cannot do tells most, so it comes first.
  const all = [...foreignParts(extra, expected), ...faults];
  if (all.length) throw new HatchlingError(message(file, all));
  return { sources, missing, unused, network };
}

/**
 * The head that a parameter is of, `head`, `ibot_head` or `contrastive_head`, and `mask_token`, which is for training
 * as heads are; undefined for all that features depend on.
 */
export function headOf(name: string): string | undefined {
  if (name === "mask_token") return name;
  return /^((?:\w+_)?head)\./.exec(name)?.[1];
}

/** The tensors of a file that a parameter is made of. */
function tensorsOf({ values }: Source): string[] {
  return values.flatMap((value) => "tensor" in value ? value.tensor : []);
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.slice(0, 8).join(", ")}${shape.length > 8 ? ", …" : ""}]`;
}

/** What the model does not have, a line for every known part and for every other tensor. */
function foreignParts(extra: readonly string[], expected: readonly ExpectedWeight[]): string[] {
  const parts = new Map<string, string[]>(), lines: string[] = [];
  for (const name of extra) {
    const block = /^blocks\.\d+\./.exec(name)?.[0];
    const beyond = block !== undefined && !expected.some(({ name }) => name.startsWith(block));
    const part = PARTS.find(([pattern]) => pattern.test(name))?.[1] ??
      (beyond ? "more blocks than model.depth says" : undefined);
    const names = part === undefined ? undefined : parts.get(part);
    if (names) names.push(name);
    else if (part !== undefined) parts.set(part, [name]);
    else lines.push(`${brief(name)}: this model has no such part`);
  }
  const known = [...parts].map(([part, [first, ...rest]]) => {
    const more = rest.length ? ` and ${rest.length} more` : "";
    return `${brief(first)}${more}: this model does not have ${part}`;
  });
  return [...known, ...lines];
}

function message(file: string, faults: readonly string[]): string {
  const more = faults.length > LISTED ? `\n  and ${faults.length - LISTED} more` : "";
  return `Expected the weights of this model in ${shown(file)} but found another one's:${
    faults.slice(0, LISTED).map((fault) => `\n  ${fault}`).join("")
  }${more}\n` +
    "Set the model section (patch_size, dim, depth, heads, the head's sizes, augmentation.global_crop_size) " +
    "to what the file was trained with, or leave it out: the shape is read off the file; " +
    `${shown(file)}#backbone takes it without its heads (docs/guides/models.md)`;
}
