/**
 * What a step reads out of the backbone: several features of one forward pass, and the sum of their gradients.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { poolTokens, poolTokensBackward } from "../ops/pool_tokens.ts";
import { addTo } from "../ops/reduce.ts";
import type { Backbone, FeatureNorm } from "./backbone.ts";
import { type Feature, featureDim } from "./feature.ts";
import type { Parameters } from "./parameters.ts";
import type { CropTokens, ViTForwardOptions } from "./vit_pass.ts";

/** Adds to the gradients of tokens. */
export type TokensGradient = (crops: readonly CropTokens[]) => void;

/** One forward pass that several losses read, and the backward pass of all of them. */
export interface Reads {
  /** The features of all crops, [sequences, F], crop sizes one after the other. */
  feature(word: Feature): Tensor;
  /**
   * Takes a gradient of features [sequences, F], which is then no longer the giver's; later ones of the same word are
   * added and may be of the first rows only.
   */
  give(word: Feature, gradient: Tensor): void;
  /** All tokens of the crop sizes; only where they were asked for. */
  readonly crops: readonly CropTokens[];
  /** Takes what adds to the gradients of tokens at the end, when those of a feature are there. */
  giveTokens(gradient: TokensGradient): void;
  /** Fills the gradients of the backbone's parameters; returns those of the crops when `inputGrad` was set. */
  backward(): Tensor[];
}

/** Options of {@linkcode readFeatures}. */
export interface ReadOptions extends ViTForwardOptions {
  /** What is read; the class token alone saves three quarters of the last block. */
  features: Iterable<Feature>;
  /** Also read tokens themselves. */
  patches?: boolean;
}

/** Runs the backbone over crops [n, C, H, W], one tensor per size. */
export function readFeatures(
  gpu: Gpu,
  backbone: Backbone,
  params: Parameters,
  crops: readonly Tensor[],
  { features, patches = false, ...options }: ReadOptions,
): Reads {
  const words = new Set(features);
  const classOnly = !patches && [...words].every((word) => word === "class");
  const gradients = new Map<Feature, Tensor>();
  const ofTokens: TokensGradient[] = [];
  const give = (word: Feature, gradient: Tensor) => {
    const held = gradients.get(word);
    if (!held) return void gradients.set(word, gradient);
    addTo(gpu, held, gradient);
  };
  const giveTokens = (gradient: TokensGradient) => void ofTokens.push(gradient);
  if (classOnly) {
    const run = backbone.forward(gpu, params, crops, options);
    return {
      crops: [],
      give,
      giveTokens,
      feature: (word) => asked(words, word, run.y),
      backward: () => run.backward(gradients.get("class")!),
    };
  }
  const run = backbone.tokens(gpu, params, crops, options);
  const sequences = run.crops.reduce((sum, { tokens }) => sum + tokens.shape[0], 0);
  const { prefix, featureNorm } = backbone;
  const made = new Map<Feature, ReturnType<FeatureNorm>>();
  for (const word of words) {
    const out = gpu.empty([sequences, featureDim(word, backbone.dim)], word);
    for (const { tokens, grid, first } of run.crops) {
      poolTokens(gpu, tokens, grid, word, { out, first, prefix });
    }
    const final = featureNorm?.(gpu, params, out) ?? { y: out, backward: (dy: Tensor) => dy };
    options.watch?.(word, final.y);
    made.set(word, final);
  }
  return {
    crops: run.crops,
    give,
    giveTokens,
    feature: (word) => asked(words, word, made.get(word)?.y),
    backward() {
      let accumulate = false;
      for (const [word, given] of gradients) {
        const dy = made.get(word)!.backward(given);
        for (const { gradient, grid, first } of run.crops) {
          poolTokensBackward(gpu, dy, gradient, grid, word, { first, accumulate, prefix });
        }
        accumulate = true;
      }
      for (const add of ofTokens) add(run.crops);
      return run.backward();
    },
  };
}

function asked(words: ReadonlySet<Feature>, word: Feature, found: Tensor | undefined): Tensor {
  if (found && words.has(word)) return found;
  throw new HatchlingError(
    `readFeatures: expected one of the features asked for (${[...words].join(", ")}) but found ` +
      `${word}: name it in features`,
  );
}
