/**
 * The vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) as DINO uses it.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { layerNorm } from "../ops/layer_norm.ts";
import type { PatchGrid } from "../ops/pool_tokens.ts";
import { type RopeTable, ropeTable } from "../ops/rope.ts";
import { gatherClass, scatterClass } from "../ops/rows.ts";
import type { Backbone, FeatureNorm, LastTokens } from "./backbone.ts";
import { classTokens, spreadClass } from "./block.ts";
import { VIT_DEFAULTS } from "./defaults.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import { readFeatures } from "./reads.ts";
import { LAST, packsOf, runPack } from "./vit_pack.ts";
import type { CropTokens, ViTForwardOptions, ViTResult, ViTTokens } from "./vit_pass.ts";
import { checkViT, type ViTConfig, vitSpecs } from "./vit_specs.ts";
import { classSpans, rowsIn, rowsOf, spansOf } from "./spans.ts";

/**
 * Widths of the usual models (Touvron et al. 2021, arXiv:2012.12877, table 1; Dosovitskiy et al. 2021, table 1; the
 * giant is that of Oquab et al. 2023, arXiv:2304.07193, table 16).
 *
 * @category Model
 */
export const VIT_PRESETS: Readonly<
  Record<
    "vit_tiny" | "vit_small" | "vit_base" | "vit_large" | "vit_giant2",
    { dim: number; depth: number; heads: number }
  >
> = {
  vit_tiny: { dim: 192, depth: 12, heads: 3 },
  vit_small: { dim: 384, depth: 12, heads: 6 },
  vit_base: { dim: 768, depth: 12, heads: 12 },
  vit_large: { dim: 1024, depth: 24, heads: 16 },
  vit_giant2: { dim: 1536, depth: 40, heads: 24 },
};

/**
 * A vision transformer: a description without state; its weights are {@linkcode Parameters}.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, VisionTransformer } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const vit = new VisionTransformer({ imageSize: 32, patchSize: 8, dim: 24, depth: 2, heads: 3 });
 * const params = new Parameters(gpu, vit.specs());
 * params.load(initialize(vit.specs(), 0));
 * const images = gpu.persistent([2, 3, 32, 32]);
 * const { y } = gpu.scope(() => ({ y: vit.forward(gpu, params, [images]).y })); // [2, 24]
 * console.log(await y.read());
 * for (const t of [y, images, params]) t.destroy();
 * gpu.destroy();
 * ```
 *
 * @category Model
 */
export class VisionTransformer implements Backbone {
  readonly kind = "a vision transformer";
  /** The configuration with defaults filled in. */
  readonly config: Required<ViTConfig>;

  /**
   * Checks the shape.
   *
   * @throws {HatchlingError} When sizes do not divide or are not positive whole numbers.
   */
  constructor(config: ViTConfig) {
    this.config = {
      ...VIT_DEFAULTS,
      dropPathRate: 0,
      maskToken: false,
      freezeBlocks: 0,
      ...config,
      mlpHiddenDim: config.mlpHiddenDim ?? config.dim * (config.mlpRatio ?? VIT_DEFAULTS.mlpRatio),
    };
    checkViT(this.config);
  }

  /** Pixels per side of the images that `pos_embed` is stored for. */
  get imageSize(): number {
    return this.config.imageSize;
  }

  /** Image channels. */
  get inChans(): number {
    return this.config.inChans;
  }

  /** Width D of the tokens. */
  get dim(): number {
    return this.config.dim;
  }

  /** Whether the first token is a class token. */
  get hasClass(): boolean {
    return this.config.classToken;
  }

  /** Tokens before the patches: the class token and registers. */
  get prefix(): number {
    return (this.hasClass ? 1 : 0) + this.config.registers;
  }

  /** The final norm, where it is of features instead of tokens. */
  get featureNorm(): FeatureNorm | undefined {
    if (!this.config.fcNorm) return undefined;
    return (gpu, params, features) => {
      const { y, backward } = this.#norm(
        gpu,
        features.view([features.size / this.dim, this.dim]),
        params,
      );
      return {
        y: y.view(features.shape),
        backward: (dy) => backward(dy.view(y.shape)).view(dy.shape),
      };
    };
  }

  /** Number of blocks. */
  get depth(): number {
    return this.config.depth;
  }

  /** Pixels per side of a patch. */
  get sizeMultiple(): number {
    return this.config.patchSize;
  }

  /** Elements of the largest tensor that an image of `imageSize` needs in a forward pass. */
  get largest(): number {
    const { imageSize, patchSize, inChans } = this.config;
    const tokens = this.prefix + (imageSize / patchSize) ** 2;
    return Math.max(inChans * imageSize ** 2, tokens * this.widest);
  }

  /** Columns of the widest matrix of tokens. */
  get widest(): number {
    const { dim, mlp, mlpHiddenDim } = this.config;
    return Math.max(3 * dim, mlp === "swiglu" ? 2 * mlpHiddenDim : mlpHiddenDim);
  }

  /** Names, shapes and initial values of the parameters, in checkpoint order. */
  specs(): ParameterSpec[] {
    return vitSpecs(this.config);
  }

  /** Drop path rates per block: linear from 0 to `dropPathRate`. */
  dropPathRates(): number[] {
    const { depth, dropPathRate } = this.config;
    return Array.from({ length: depth }, (_, i) => depth > 1 ? dropPathRate * i / (depth - 1) : 0);
  }

  /**
   * Crops of one size are one batch of sequences; the class tokens of all sizes share the final norm. Without a class
   * token, the result is the mean of the patch tokens.
   *
   * @param crops Images [n, C, H, W], one tensor per crop size; H and W multiples of the patch size.
   * @throws {HatchlingError} When a crop has another number of channels or a size that patches do not fill.
   */
  forward(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): ViTResult {
    const { dim } = this.config;
    if (!this.hasClass) return this.#means(gpu, params, crops, options);
    // Nothing but the class token leaves the last block, unless somebody looks at the others.
    const looked = !!options.trace || !!options.watch;
    const runs = packsOf(gpu, this, crops, options.precision).map((pack) => {
      const run = runPack(gpu, this, params, pack, options, !looked);
      if (!looked) return run;
      return {
        y: classTokens(gpu, run.y, run.spans),
        backward: (dy: Tensor) => run.backward(spreadClass(gpu, dy, run.spans)),
      };
    });
    const classes = classSpans(spansOf(runs.map(({ y }) => ({ count: y.shape[0], tokens: 1 }))));
    const single = (t: Tensor) => t.view([t.shape[0], 1, dim]);
    let joined = runs[0].y;
    if (runs.length > 1) {
      joined = gpu.empty([rowsIn(classes), dim], "class_tokens", joined.dtype);
      runs.forEach(({ y }, i) => gatherClass(gpu, single(y), joined, classes[i].sample));
    }
    const final = this.#norm(gpu, joined, params);
    options.watch?.("features", final.y);
    const tokens = options.trace?.get(LAST);
    if (tokens) options.trace!.set("normed", this.#normed(gpu, tokens, params).y);
    options.trace?.delete(LAST);
    return {
      y: final.y,
      backward: (dy) => {
        const d = final.backward(dy);
        return runs.flatMap(({ y, backward }, i) => {
          if (runs.length === 1) return backward(d);
          const part = gpu.empty(y.shape, "class_tokens.grad");
          scatterClass(gpu, d, single(part), classes[i].sample);
          return backward(part);
        });
      },
    };
  }

  /** What `forward` gives where there is no class token. */
  #means(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions,
  ): ViTResult {
    const reads = readFeatures(gpu, this, params, crops, { ...options, features: ["mean"] });
    const y = reads.feature("mean");
    options.watch?.("features", y);
    return {
      y,
      backward(dy) {
        reads.give("mean", dy);
        return reads.backward();
      },
    };
  }

  /**
   * All tokens after the final norm, for what reads more than the class token; before it, where it is of features.
   *
   * @param crops Images [n, C, H, W], one tensor per crop size; H and W multiples of the patch size.
   * @throws {HatchlingError} As {@linkcode VisionTransformer.forward} does.
   */
  tokens(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): ViTTokens {
    const found: CropTokens[] = [];
    let first = 0;
    const runs = packsOf(gpu, this, crops, options.precision).map((pack) => {
      const run = runPack(gpu, this, params, pack, options, false);
      const final = this.#normed(gpu, run.y, params);
      const gradient = gpu.empty(run.y.shape, "normed.grad");
      pack.forEach(({ grid, group, count }, i) => {
        const [tokens, room] = [final.y, gradient].map((t) => rowsOf(t, run.spans[i]));
        options.watch?.("normed", tokens, group);
        if (group === 0) options.trace?.set("normed", tokens);
        found.push({ tokens, grid, first, gradient: room });
        first += count;
      });
      options.trace?.delete(LAST);
      return () => run.backward(final.backward(gradient));
    });
    return { crops: found, backward: () => runs.flatMap((backward) => backward()) };
  }

  /**
   * A forward pass with all tokens of so many of the last blocks, after the final norm.
   *
   * @throws {HatchlingError} As {@linkcode VisionTransformer.forward} does.
   */
  lastTokens(gpu: Gpu, params: Parameters, images: Tensor, blocks: number): LastTokens {
    const { patchSize, depth } = this.config;
    const [rows, cols] = images.shape.slice(2).map((side) => side / patchSize);
    const kept: Tensor[] = [];
    // Nobody watches where only the class token is wanted: nothing else leaves the last block then.
    const watch = blocks
      ? (name: string, tokens: Tensor) => {
        const block = Number(name.match(/^block\.(\d+)$/)?.[1]);
        if (block >= depth - blocks) kept.push(tokens);
      }
      : undefined;
    const { y: classes } = this.forward(gpu, params, [images], { watch });
    const normed = kept.map((tokens) => this.#normed(gpu, tokens, params).y);
    return { patches: [rows, cols], blocks: normed, classes };
  }

  /** Angles of grids of patches, for blocks that rotate queries and keys. */
  ropeTables(gpu: Gpu, grids: readonly PatchGrid[]): RopeTable[] | undefined {
    const { dim, heads, posEmbed, ropeBase } = this.config;
    if (posEmbed !== "rope") return undefined;
    return grids.map((grid) => ropeTable(gpu, grid, dim / heads, ropeBase));
  }

  /** The final norm, of tokens or of features, which are f32 whatever tokens are stored as. */
  #norm(gpu: Gpu, x: Tensor, params: Parameters) {
    const { fcNorm, normEps } = this.config, name = fcNorm ? "fc_norm" : "norm";
    const [weight, bias] = [params.get(`${name}.weight`), params.get(`${name}.bias`)];
    return layerNorm(gpu, x, weight, bias, normEps, "f32");
  }

  /** The final norm of tokens; they stay as they are where it is of features. */
  #normed(gpu: Gpu, x: Tensor, params: Parameters) {
    return this.config.fcNorm ? { y: x, backward: (dy: Tensor) => dy } : this.#norm(gpu, x, params);
  }
}

/**
 * The vision transformer that a backbone is, for what makes sense of no other.
 *
 * @param purpose What it is for: "attention".
 * @throws {HatchlingError} When it is another one.
 */
export function transformerOf(backbone: Backbone, purpose: string): VisionTransformer {
  if (backbone instanceof VisionTransformer) return backbone;
  throw new HatchlingError(
    `Expected a vision transformer, for ${purpose}, but found ${backbone.kind}: use a model with a vit backbone`,
  );
}
