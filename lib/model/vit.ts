/**
 * The vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) as DINO uses it.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";
import { layerNorm } from "../ops/layer_norm.ts";
import { patchEmbed } from "../ops/patch_embed.ts";
import { posEmbed, type PosInterp } from "../ops/pos_embed.ts";
import { dropPathFactors, type DropPathSource, gatherClass, scatterClass } from "../ops/rows.ts";
import { block, type BlockKeep } from "./block.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";

/** Shape of a vision transformer. */
export interface ViTConfig {
  /** Pixels per side of the images that `pos_embed` is stored for. */
  imageSize: number;
  /** Pixels per side of a patch. */
  patchSize: number;
  /** Width D of the tokens. */
  dim: number;
  /** Number of blocks. */
  depth: number;
  /** Attention heads; they divide `dim`. */
  heads: number;
  /** Hidden width of the MLP over `dim`; 4 by default. */
  mlpRatio?: number;
  /** Image channels; 3 by default. */
  inChans?: number;
  /** Resampling of the position embedding; "offset" by default. */
  posInterp?: PosInterp;
  /** Standard deviation of the initial weights of linear layers; 0.02 by default. */
  initStd?: number;
  /** Drop path rate of the last block, linear from 0 at the first; 0 by default. */
  dropPathRate?: number;
}

/** Widths of the usual models (Touvron et al. 2021, arXiv:2012.12877, table 1). */
export const VIT_PRESETS: Readonly<
  Record<"vit_tiny" | "vit_small" | "vit_base", { dim: number; depth: number; heads: number }>
> = {
  vit_tiny: { dim: 192, depth: 12, heads: 3 },
  vit_small: { dim: 384, depth: 12, heads: 6 },
  vit_base: { dim: 768, depth: 12, heads: 12 },
};

/** Options of {@linkcode VisionTransformer.forward}. */
export interface ViTForwardOptions {
  /** Gets `tokens`, `block.<i>`, `attention` (of the last block) and `normed` of the first crop size. */
  trace?: Map<string, Tensor>;
  /** Is shown `tokens` and `block.<i>` of every crop size, by its index, and `features` when they are made. */
  watch?: (name: string, tensor: Tensor, size?: number) => void;
  /** Drop path factors per block and crop size, [n] each: 0 or 1 / (1 − rate). */
  keep?: BlockKeep[][];
  /** Draws drop path factors at the configured rate; for training. */
  dropPath?: DropPathSource;
  /** Also compute the gradient of the images. */
  inputGrad?: boolean;
}

/** What {@linkcode VisionTransformer.forward} returns. */
export interface ViTResult {
  /** Class tokens after the final norm, [Σ n, D], crop sizes one after the other. */
  y: Tensor;
  /** Fills the gradients of the parameters; returns those of the crops when `inputGrad` was set. */
  backward(dy: Tensor): Tensor[];
}

/**
 * A vision transformer: a description without state; its weights are {@linkcode Parameters}.
 *
 * @example
 * ```ts
 * import { openGpu } from "../gpu/mod.ts";
 * import { initialize } from "./init.ts";
 * import { Parameters } from "./parameters.ts";
 * import { VisionTransformer } from "./vit.ts";
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
 */
export class VisionTransformer {
  /** The configuration with defaults filled in. */
  readonly config: Required<ViTConfig>;

  /**
   * Checks the shape.
   *
   * @throws {HatchlingError} When sizes do not divide or are not positive whole numbers.
   */
  constructor(config: ViTConfig) {
    this.config = {
      mlpRatio: 4,
      inChans: 3,
      posInterp: "offset",
      dropPathRate: 0,
      initStd: 0.02,
      ...config,
    };
    const { imageSize, patchSize, dim, depth, heads, mlpRatio, inChans } = this.config;
    for (
      const [key, value] of Object.entries({ imageSize, patchSize, dim, depth, heads, inChans })
    ) {
      if (!Number.isInteger(value) || value < 1) {
        throw new HatchlingError(
          `VisionTransformer: expected a positive whole ${key} but found ${value}`,
        );
      }
    }
    if (imageSize % patchSize) {
      throw new HatchlingError(
        `VisionTransformer: expected imageSize to be a multiple of patchSize ${patchSize} but found ${imageSize}`,
      );
    }
    if (dim % heads) {
      throw new HatchlingError(
        `VisionTransformer: expected dim to be a multiple of ${heads} heads but found ${dim}`,
      );
    }
    if (!Number.isInteger(dim * mlpRatio) || dim * mlpRatio < 1) {
      throw new HatchlingError(
        `VisionTransformer: expected mlpRatio · dim to be whole but found ${mlpRatio} · ${dim}`,
      );
    }
  }

  /** Elements of the largest tensor that an image of `imageSize` needs in a forward pass. */
  get largest(): number {
    const { imageSize, patchSize, dim, mlpRatio, inChans } = this.config;
    const tokens = 1 + (imageSize / patchSize) ** 2;
    return Math.max(inChans * imageSize ** 2, tokens * dim * Math.max(3, mlpRatio));
  }

  /** Names, shapes and initial values of the parameters, in checkpoint order. */
  specs(): ParameterSpec[] {
    const { imageSize, patchSize, dim, depth, mlpRatio, inChans, initStd } = this.config;
    const grid = imageSize / patchSize;
    const hidden = dim * mlpRatio;
    const fanIn = { uniform: 1 / Math.sqrt(inChans * patchSize * patchSize) };
    const normal = { normal: 0.02 };
    const zero = { constant: 0 };
    const one = { constant: 1 };
    const specs: ParameterSpec[] = [
      { name: "cls_token", shape: [1, 1, dim], init: normal },
      { name: "pos_embed", shape: [1, 1 + grid * grid, dim], init: normal },
      { name: "patch_embed.proj.weight", shape: [dim, inChans, patchSize, patchSize], init: fanIn },
      { name: "patch_embed.proj.bias", shape: [dim], init: fanIn },
    ];
    const norm = (name: string) => {
      specs.push({ name: `${name}.weight`, shape: [dim], init: one }, {
        name: `${name}.bias`,
        shape: [dim],
        init: zero,
      });
    };
    const linear = (name: string, out: number, inputs: number) => {
      specs.push(
        { name: `${name}.weight`, shape: [out, inputs], init: { normal: initStd } },
        { name: `${name}.bias`, shape: [out], init: zero },
      );
    };
    for (let i = 0; i < depth; i++) {
      norm(`blocks.${i}.norm1`);
      linear(`blocks.${i}.attn.qkv`, 3 * dim, dim);
      linear(`blocks.${i}.attn.proj`, dim, dim);
      norm(`blocks.${i}.norm2`);
      linear(`blocks.${i}.mlp.fc1`, hidden, dim);
      linear(`blocks.${i}.mlp.fc2`, dim, hidden);
    }
    norm("norm");
    return specs;
  }

  /** Drop path rates per block: linear from 0 to `dropPathRate`. */
  dropPathRates(): number[] {
    const { depth, dropPathRate } = this.config;
    return Array.from({ length: depth }, (_, i) => depth > 1 ? dropPathRate * i / (depth - 1) : 0);
  }

  /**
   * Crops of one size run as one batch; the class tokens of all sizes share the final norm.
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
    const rows = crops.reduce((sum, t) => sum + t.shape[0], 0);
    const classes = gpu.empty([rows, dim], "class_tokens");
    let first = 0;
    const groups = crops.map((images, i) => {
      const run = this.#tokens(gpu, params, images, i, options);
      const from = first;
      gatherClass(gpu, run.y, classes, from);
      first += images.shape[0];
      return { ...run, from };
    });
    const norm = (x: Tensor) =>
      layerNorm(gpu, x, params.get("norm.weight"), params.get("norm.bias"));
    const final = norm(classes);
    options.watch?.("features", final.y);
    options.trace?.set("normed", norm(groups[0].y).y);
    return {
      y: final.y,
      backward: (dy) => {
        const dClasses = final.backward(dy);
        return groups.flatMap((group) => {
          const dTokens = scatterClass(gpu, dClasses, group.y.shape, group.from);
          return group.backward(dTokens) ?? [];
        });
      },
    };
  }

  /** All tokens [n, N, D] before the final norm. */
  #tokens(gpu: Gpu, params: Parameters, images: Tensor, group: number, options: ViTForwardOptions) {
    const { patchSize, depth, heads, inChans, posInterp } = this.config;
    const [n, channels, height, width] = images.shape;
    if (channels !== inChans || height % patchSize || width % patchSize) {
      throw new HatchlingError(
        `VisionTransformer: expected images [n, ${inChans}, H, W] with H and W multiples of ${patchSize} but found ${images}`,
      );
    }
    const trace = group === 0 ? options.trace : undefined;
    const rates = this.dropPathRates();
    const pos = posEmbed(
      gpu,
      params.get("pos_embed"),
      height / patchSize,
      width / patchSize,
      posInterp,
    );
    const embed = patchEmbed(gpu, images, {
      weight: params.get("patch_embed.proj.weight"),
      bias: params.get("patch_embed.proj.bias"),
      cls: params.get("cls_token"),
    }, pos.y);
    trace?.set("tokens", embed.y);
    options.watch?.("tokens", embed.y, group);
    let y = embed.y;
    const blocks = Array.from({ length: depth }, (_, i) => {
      const source = options.dropPath;
      const draw = (branch: number) => {
        const stream = (group * depth + i) * 2 + branch;
        return dropPathFactors(gpu, n, rates[i], stream, source!);
      };
      const keep = options.keep?.[group]?.[i] ??
        (source && rates[i] > 0 ? { attn: draw(0), mlp: draw(1) } : undefined);
      // Nothing but the class token leaves the last block, unless somebody looks at the others.
      const classOnly = i === depth - 1 && !options.trace && !options.watch;
      const run = block(gpu, y, params, `blocks.${i}`, heads, { keep, classOnly });
      y = run.y;
      trace?.set(`block.${i}`, y);
      options.watch?.(`block.${i}`, y, group);
      if (i === depth - 1) trace?.set("attention", run.attention.map());
      return run;
    });
    return {
      y,
      backward: (dy: Tensor): Tensor | undefined => {
        for (const run of blocks.toReversed()) dy = run.backward(dy);
        const d = embed.backward(dy, options.inputGrad);
        pos.backward(d.pos);
        return d.images;
      },
    };
  }
}
