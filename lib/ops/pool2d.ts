/**
 * Pools over pictures with channels last: the largest of every window, and the mean of all places.
 *
 * @module
 */
import averageCode from "../../kernels/average_pool.wgsl" with { type: "text" };
import maxCode from "../../kernels/max_pool.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";

const AVERAGE_POOL = defineKernel("average_pool", averageCode);
const MAX_POOL = defineKernel("max_pool", maxCode);

/** Where the windows of {@linkcode maxPool} lie. */
export interface MaxPoolOptions {
  /** Pixels per side of a window. */
  side: number;
  /** Pixels from one window to the next. */
  stride: number;
  /** Places around the picture that count as −∞; fewer than `side`. */
  padding: number;
}

/**
 * The largest number of every window of x [B, H, W, C]; its gradient goes to the first of equal ones, row by row, as in
 * PyTorch.
 *
 * @throws {HatchlingError} When no window fits, or one would lie outside of the picture.
 */
export function maxPool(
  gpu: Gpu,
  x: Tensor,
  { side, stride, padding: pad }: MaxPoolOptions,
): { y: Tensor; backward(dy: Tensor): Tensor } {
  const [batch, height, width, channels] = x.shape;
  const [rows, cols] = [height, width].map((n) => Math.floor((n + 2 * pad - side) / stride) + 1);
  const whole = [side, stride, pad + 1].every((n) => Number.isInteger(n) && n >= 1);
  if (x.shape.length !== 4 || !whole || 2 * pad > side || !(rows >= 1 && cols >= 1)) {
    throw new HatchlingError(
      `maxPool: expected pictures [B, H, W, C] and windows that fit, padded by half of a side at most, but found ${x}, ` +
        `side ${side}, stride ${stride} and padding ${pad}`,
    );
  }
  const taps = gpu.empty([batch, rows, cols, channels], "max_pool.taps");
  const run = (src: Tensor, out: Tensor, back: boolean): Tensor => {
    gpu.dispatch(MAX_POOL, {
      constants: { BACK: back },
      bindings: { src, taps, out },
      params: { n: out.size, channels, height, width, rows, cols, side, stride, pad },
      workgroups: grid(out.size, 64),
      flops: taps.size * side * side,
    });
    return out;
  };
  return {
    y: run(x, gpu.empty(taps.shape, "max_pool"), false),
    backward: (dy) => run(dy, gpu.empty(x.shape, "max_pool.grad"), true),
  };
}

/** Where {@linkcode averagePool} writes. */
export interface AveragePoolOptions {
  /** [S, C], or with `tokens` [S, 1 + H · W, C]. */
  out: Tensor;
  /** The picture of `out` that the first one of x is; 0 by default. */
  first?: number;
  /** The places follow their mean, as patch tokens a class token; false by default. */
  tokens?: boolean;
}

/** The mean over all places of the maps x [B, H, W, C] into `out`; `backward` takes a gradient like `out`. */
export function averagePool(
  gpu: Gpu,
  x: Tensor,
  { out, first = 0, tokens = false }: AveragePoolOptions,
): { backward(dy: Tensor): Tensor } {
  const [batch, height, width, channels] = x.shape;
  const places = height * width, rows = tokens ? 1 + places : 1;
  if (
    x.shape.length !== 4 || out.size % (rows * channels) ||
    out.size / (rows * channels) < first + batch
  ) {
    throw new HatchlingError(
      `averagePool: expected room for ${rows} rows of ${x} from picture ${first} on but found ${out}`,
    );
  }
  const run = (src: Tensor, to: Tensor, n: number, back: boolean) =>
    gpu.dispatch(AVERAGE_POOL, {
      constants: { BACK: back },
      bindings: { src, out: to },
      params: { n, places, channels, tokens: +tokens, first },
      workgroups: grid(n, 64),
      flops: x.size,
    });
  run(x, out, batch * rows * channels, false);
  return {
    backward(dy) {
      const dx = gpu.empty(x.shape, "average_pool.grad");
      run(dy, dx, x.size, true);
      return dx;
    },
  };
}
