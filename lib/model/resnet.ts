/**
 * Residual networks (He et al. 2016, arXiv:1512.03385) as torchvision has them, without the classifier.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { channelsLast } from "../ops/channels_last.ts";
import { averagePool, maxPool } from "../ops/pool2d.ts";
import type { Backbone, LastTokens } from "./backbone.ts";
import { RESNET_DEFAULTS } from "./defaults.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import { convNorm, resnetBlock } from "./resnet_block.ts";
import { blocksOf, expansionOf, type ResNetConfig, stemOf } from "./resnet_shape.ts";
import { checkResNet, resnetSpecs } from "./resnet_specs.ts";
import type { CropTokens, ViTForwardOptions, ViTResult, ViTTokens } from "./vit_pass.ts";

/**
 * A ResNet: a description without state; its weights are {@linkcode Parameters}, running statistics of batch norms
 * among them.
 *
 * Its class token is the mean of the last map, and its patch tokens are the places of that map, 32 pixels apart; so
 * `class` and `mean` are the same feature. Every crop size is a forward pass of its own, with its own batch
 * statistics, as in facebookresearch/dino, which joins the crops of a size.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, ResNet } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const resnet = new ResNet({ layers: 18, imageSize: 32, width: 8 });
 * const params = new Parameters(gpu, resnet.specs());
 * params.load(initialize(resnet.specs(), 0));
 * const images = gpu.persistent([2, 3, 32, 32]);
 * const { y } = gpu.scope(() => ({ y: resnet.forward(gpu, params, [images]).y })); // [2, 8 · 8]
 * console.log(await y.read());
 * for (const t of [y, images, params]) t.destroy();
 * gpu.destroy();
 * ```
 *
 * @category Model
 */
export class ResNet implements Backbone {
  readonly kind: string;
  /** The configuration with defaults filled in. */
  readonly config: Required<ResNetConfig>;
  /** The pooled map stands where a class token does. */
  readonly hasClass = true;
  /** It alone. */
  readonly prefix = 1;
  /** The last map alone can be read. */
  readonly depth = 1;
  /** Pictures of any size will do. */
  readonly sizeMultiple = 1;

  /**
   * Checks the shape.
   *
   * @throws {HatchlingError} When there is no such ResNet, or sizes are not positive whole numbers.
   */
  constructor(config: ResNetConfig) {
    this.config = { ...RESNET_DEFAULTS, ...config };
    checkResNet(this.config);
    this.kind = `a ResNet-${config.layers}`;
  }

  /** Pixels per side of the pictures that it is made for. */
  get imageSize(): number {
    return this.config.imageSize;
  }

  /** Image channels. */
  get inChans(): number {
    return this.config.inChans;
  }

  /** Channels of the last map. */
  get dim(): number {
    return 8 * this.config.width * expansionOf(this.config);
  }

  /** Elements of the largest tensor that a picture of `imageSize` needs in a forward pass. */
  get largest(): number {
    const { imageSize, inChans, width } = this.config;
    const [half, quarter] = [2, 4].map((n) => Math.ceil(imageSize / n));
    return Math.max(
      4 * Math.ceil(inChans / 4) * imageSize ** 2,
      width * half ** 2,
      expansionOf(this.config) * width * quarter ** 2,
    );
  }

  /** Names, shapes and initial values of the parameters: running statistics first. */
  specs(): ParameterSpec[] {
    return resnetSpecs(this.config);
  }

  /**
   * The pooled last map of all crops, [Σ n, D].
   *
   * @param crops Images [n, C, H, W], one tensor per crop size.
   * @throws {HatchlingError} When a crop has another number of channels, or a batch to train on a single place.
   */
  forward(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): ViTResult {
    const count = crops.reduce((sum, { shape: [n] }) => sum + n, 0);
    const y = gpu.empty([count, this.dim], "features");
    let first = 0;
    const runs = crops.map((images, size) => {
      const run = this.#map(gpu, params, images, size, options);
      const pooled = averagePool(gpu, run.y, { out: y, first });
      first += images.shape[0];
      return (dy: Tensor) => run.backward(pooled.backward(dy));
    });
    options.watch?.("features", y);
    return { y, backward: (dy) => runs.flatMap((backward) => backward(dy)) };
  }

  /** The last map of all crops, its mean as the class token before it. */
  tokens(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): ViTTokens {
    let first = 0;
    const found: CropTokens[] = [];
    const runs = crops.map((images, size) => {
      const run = this.#map(gpu, params, images, size, options);
      const [n, rows, cols] = run.y.shape;
      const shape = [n, 1 + rows * cols, this.dim];
      const tokens = gpu.empty(shape, "normed"), gradient = gpu.empty(shape, "normed.grad");
      const pooled = averagePool(gpu, run.y, { out: tokens, tokens: true });
      found.push({ tokens, grid: [rows, cols], first, gradient });
      first += n;
      options.watch?.("normed", tokens, size);
      if (size === 0) options.trace?.set("normed", tokens);
      return () => run.backward(pooled.backward(gradient));
    });
    return { crops: found, backward: () => runs.flatMap((backward) => backward()) };
  }

  /** A forward pass that keeps the last map where a block is asked for. */
  lastTokens(gpu: Gpu, params: Parameters, images: Tensor, blocks: number): LastTokens {
    const { y } = this.#map(gpu, params, images, 0, {});
    const [n, rows, cols] = y.shape;
    const classes = gpu.empty([n, this.dim], "features");
    averagePool(gpu, y, { out: classes });
    if (!blocks) return { patches: [rows, cols], blocks: [], classes };
    const tokens = gpu.empty([n, 1 + rows * cols, this.dim], "normed");
    averagePool(gpu, y, { out: tokens, tokens: true });
    return { patches: [rows, cols], blocks: [tokens], classes };
  }

  /** The last map [n, rows, cols, D] of the crops of a size. */
  #map(
    gpu: Gpu,
    params: Parameters,
    images: Tensor,
    size: number,
    { stats, watch, trace, inputGrad = false }: ViTForwardOptions,
  ) {
    const { inChans } = this.config;
    if (images.shape.length !== 4 || images.shape[1] !== inChans) {
      throw new HatchlingError(
        `ResNet: expected images [n, ${inChans}, H, W] but found ${images}`,
      );
    }
    const show = (name: string, tensor: Tensor) => {
      watch?.(name, tensor, size);
      if (size === 0) trace?.set(name, tensor);
    };
    const pass = { gpu, params, stats };
    const input = channelsLast(gpu, images);
    const stem = convNorm(pass, input.y, stemOf(this.config), { relu: true });
    const pool = maxPool(gpu, stem.y, { side: 3, stride: 2, padding: 1 });
    show("stem", pool.y);
    let y = pool.y;
    const blocks = blocksOf(this.config).map((block) => {
      const run = resnetBlock(pass, y, block);
      y = run.y;
      show(block.name, y);
      return run;
    });
    return {
      y,
      backward(dy: Tensor): Tensor[] {
        let d = dy;
        for (const run of blocks.toReversed()) d = run.backward(d);
        const { x } = stem.backward(pool.backward(d), { input: inputGrad });
        return x ? [input.back(x)] : [];
      },
    };
  }
}
