/**
 * Crops of several sizes through the blocks of a vision transformer, as one matrix of tokens.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { DType, Gpu, Tensor } from "../gpu.ts";
import type { PatchGrid } from "../ops/pool_tokens.ts";
import type { RopeTable } from "../ops/rope.ts";
import { dropPathFactors } from "../ops/rows.ts";
import { block, type BlockKeep } from "./block.ts";
import { embed } from "./embed.ts";
import type { Parameters } from "./parameters.ts";
import { canPack, rowsIn, rowsOf, type Span, spansOf } from "./spans.ts";
import type { ViTForwardOptions } from "./vit_pass.ts";
import type { ViTConfig } from "./vit_specs.ts";

/** Where a trace keeps the last block's tokens until the final norm. */
export const LAST = "last";

/** Crops of one size. */
export interface Input {
  /** [count, C, H, W]. */
  images: Tensor;
  /** Index of the crop size. */
  group: number;
  /** Number of images. */
  count: number;
  /** Patches down and across. */
  grid: [number, number];
  /** Tokens of an image. */
  tokens: number;
}

/** What is asked of a vision transformer here. */
export interface PackedViT {
  /** The configuration with defaults filled in. */
  readonly config: Required<ViTConfig>;
  /** Tokens before the patches. */
  readonly prefix: number;
  /** Columns of the widest matrix of tokens. */
  readonly widest: number;
  /** Drop path rates per block. */
  dropPathRates(): number[];
  /** Angles of grids of patches, where queries and keys are rotated. */
  ropeTables(gpu: Gpu, grids: readonly PatchGrid[]): RopeTable[] | undefined;
}

/** What {@linkcode runPack} returns. */
export interface PackRun {
  /** All tokens [R, D], or class tokens [sequences, D]. */
  y: Tensor;
  /** Where the sequences of each size are among all tokens. */
  spans: Span[];
  /** Fills the gradients of the parameters; returns those of the crops when `inputGrad` was set. */
  backward(dy: Tensor): Tensor[];
}

/** Crop sizes that run as one matrix of tokens: all of them where the adapter can bind their parts of it. */
export function packsOf(
  gpu: Gpu,
  vit: PackedViT,
  crops: readonly Tensor[],
  precision?: DType,
): Input[][] {
  const inputs = crops.map((images, group) => inputOf(vit, images, group));
  return canPack(gpu, spansOf(inputs), vit.config.dim, vit.widest, precision)
    ? [inputs]
    : inputs.map((input) => [input]);
}

function inputOf(vit: PackedViT, images: Tensor, group: number): Input {
  const { patchSize, inChans } = vit.config;
  const [count, channels, height, width] = images.shape;
  if (channels !== inChans || height % patchSize || width % patchSize) {
    throw new HatchlingError(
      `VisionTransformer: expected images [n, ${inChans}, H, W] with H and W multiples of ${patchSize} but found ${images}`,
    );
  }
  const grid: [number, number] = [height / patchSize, width / patchSize];
  return { images, group, count, grid, tokens: vit.prefix + grid[0] * grid[1] };
}

/** All tokens before the final norm, or class tokens [sequences, D] alone, of crop sizes that run as one matrix. */
export function runPack(
  gpu: Gpu,
  vit: PackedViT,
  params: Parameters,
  inputs: readonly Input[],
  options: ViTForwardOptions,
  classOnly: boolean,
): PackRun {
  const { dim, depth, freezeBlocks } = vit.config;
  const spans = spansOf(inputs);
  const show = (name: string, packed: Tensor) =>
    inputs.forEach(({ group }, i) => {
      const tokens = rowsOf(packed, spans[i]);
      options.watch?.(name, tokens, group);
      if (group === 0) options.trace?.set(name, tokens);
    });
  const x = gpu.empty([rowsIn(spans), dim], "tokens", options.precision);
  const embeds = inputs.map((input, i) => {
    const mask = input.group === 0 ? options.mask : undefined;
    return embed(gpu, params, vit.config, input, rowsOf(x, spans[i]), mask);
  });
  const rope = vit.ropeTables(gpu, inputs.map(({ grid }) => grid));
  show("tokens", x);
  let y = x;
  const blocks = Array.from({ length: depth }, (_, i) => {
    const last = i === depth - 1;
    const keep = keepOf(gpu, vit, inputs, i, options);
    const run = block(gpu, y, spans, params, `blocks.${i}`, vit.config, {
      keep,
      rope,
      classOnly: last && classOnly,
      recompute: options.recompute && !last,
    });
    y = run.y;
    if (!(last && classOnly)) show(`block.${i}`, y);
    if (last && inputs[0].group === 0 && options.trace) {
      options.trace.set(
        "attention",
        run.attention[0].map(options.attentionOf === "class" ? 1 : undefined),
      );
      options.trace.set(LAST, rowsOf(y, spans[0]));
    }
    return run;
  });
  return {
    y,
    spans,
    backward: (dy: Tensor): Tensor[] => {
      let d = dy;
      const end = options.inputGrad ? 0 : freezeBlocks; // nothing asks what lies below
      for (const run of blocks.slice(end).toReversed()) d = run.backward(d);
      if (end) return [];
      return embeds.flatMap((backward, i) =>
        backward(rowsOf(d, spans[i]), options.inputGrad) ?? []
      );
    },
  };
}

/** Drop path factors of a block for every crop size, given or drawn; none at rate 0. */
function keepOf(
  gpu: Gpu,
  vit: PackedViT,
  inputs: readonly Input[],
  block: number,
  { keep, dropPath }: ViTForwardOptions,
): BlockKeep[] | undefined {
  if (keep) return inputs.map(({ group }) => keep[group][block]);
  const rate = vit.dropPathRates()[block];
  if (!dropPath || rate === 0) return undefined;
  return inputs.map(({ group, count }) => {
    const draw = (branch: number) => {
      const stream = (group * vit.config.depth + block) * 2 + branch;
      return dropPathFactors(gpu, count, rate, stream, dropPath);
    };
    return { attn: draw(0), mlp: draw(1) };
  });
}
