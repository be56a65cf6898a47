/**
 * Convolutions with their batch norms, and the residual blocks that ResNets are made of.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { batchNorm } from "../ops/batch_norm.ts";
import { conv2d } from "../ops/conv2d.ts";
import type { Parameters } from "./parameters.ts";
import type { ConvSpec, ResNetBlock } from "./resnet_shape.ts";
import type { RunningStats } from "./running_stats.ts";

/** With what a pass is made. */
export interface ResNetPass {
  /** Where it runs. */
  gpu: Gpu;
  /** Its weights. */
  params: Parameters;
  /** Normalise by the batch, and move these; else by the running statistics of the parameters. */
  stats?: RunningStats;
}

/** What {@linkcode convNorm} returns. */
export interface ConvNormResult {
  /** [B, rows, cols, outputs]. */
  y: Tensor;
  /** Fills the gradients; returns that of x, plus `add`, unless `input` is false, and that of the residual. */
  backward(
    dy: Tensor,
    options?: { input?: boolean; add?: Tensor },
  ): { x?: Tensor; residual?: Tensor };
}

/** A convolution and its batch norm, ReLU and a residual fused into the latter. */
export function convNorm(
  { gpu, params, stats }: ResNetPass,
  x: Tensor,
  { conv, norm, side, stride }: ConvSpec,
  options: { relu?: boolean; residual?: Tensor } = {},
): ConvNormResult {
  const convolved = conv2d(gpu, x, params.get(`${conv}.weight`), {
    stride,
    padding: (side - 1) / 2,
  });
  const running = (name: string) =>
    stats?.get(`${norm}.${name}`) ?? params.get(`${norm}.${name}`).data;
  const normed = batchNorm(gpu, convolved.y, {
    weight: params.get(`${norm}.weight`),
    bias: params.get(`${norm}.bias`),
    mean: running("running_mean"),
    variance: running("running_var"),
  }, { ...options, train: !!stats });
  return {
    y: normed.y,
    backward(dy, how) {
      const { x, residual } = normed.backward(dy);
      return { x: convolved.backward(x, how), residual };
    },
  };
}

/** relu(x + branch(x)), x [B, H, W, C]; `backward` fills the gradients and returns that of x. */
export function resnetBlock(
  pass: ResNetPass,
  x: Tensor,
  { convs, downsample }: ResNetBlock,
): { y: Tensor; backward(dy: Tensor): Tensor } {
  const shortcut = downsample && convNorm(pass, x, downsample);
  const runs: ConvNormResult[] = [];
  let h = x;
  convs.forEach((conv, i) => {
    const residual = i === convs.length - 1 ? shortcut?.y ?? x : undefined;
    const run = convNorm(pass, h, conv, { relu: true, residual });
    runs.push(run);
    h = run.y;
  });
  return {
    y: h,
    backward(dy) {
      const last = runs.at(-1)!.backward(dy);
      const add = shortcut ? shortcut.backward(last.residual!).x : last.residual;
      let d = last.x!;
      for (let i = runs.length - 2; i >= 0; i--) {
        d = runs[i].backward(d, i === 0 ? { add } : undefined).x!;
      }
      return d;
    },
  };
}
