/**
 * An MLP with GELU and an L2-normalised output: what stands between features and a loss that compares directions.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { DType, Gpu, Tensor } from "../gpu.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";
import { geluInput, linear, type LinearResult } from "../ops/linear.ts";
import type { Init, Parameters, ParameterSpec } from "./parameters.ts";

/** Shape of a {@linkcode Projector}. */
export interface ProjectorConfig {
  /** Width of the features. */
  inDim: number;
  /** Width of the hidden layers. */
  hiddenDim: number;
  /** Width of the output. */
  outDim: number;
  /** Linear layers, at least 1. */
  layers: number;
  /**
   * Standard deviation of the initial weights, with biases 0; left out, weights and biases are uniform in
   * ±1 / √inputs, as those of torch.nn.Linear.
   */
  initStd?: number;
}

/** Options of {@linkcode Projector.forward}. */
export interface HeadForwardOptions {
  /** Gets `bottleneck` (before L2) and `normalized` (after). */
  trace?: Map<string, Tensor>;
  /** Is shown the same. */
  watch?: (name: string, tensor: Tensor) => void;
  /** What the hidden layers are stored as; f32 by default, as the output is in any case. */
  precision?: DType;
}

/**
 * Linear layers with GELU between them, no batch norm, rows of the last one scaled to length 1. A description without
 * state: its weights are `PREFIX.mlp.0`, `PREFIX.mlp.2`, …, numbered with the GELUs in between; a single layer is
 * `PREFIX.mlp`.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, Projector } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const projector = new Projector("contrastive_head", { inDim: 24, hiddenDim: 32, outDim: 8, layers: 3 });
 * const params = new Parameters(gpu, projector.specs());
 * params.load(initialize(projector.specs(), 0));
 * const features = gpu.tensor(new Float32Array(2 * 24).fill(1), [2, 24]);
 * const { y } = gpu.scope(() => ({ y: projector.forward(gpu, params, features).y })); // [2, 8], of length 1
 * console.log(await y.read());
 * for (const t of [y, features, params]) t.destroy();
 * gpu.destroy();
 * ```
 */
export class Projector {
  /** The shape. */
  readonly config: ProjectorConfig;
  readonly #prefix: string;

  /**
   * Checks the shape.
   *
   * @param prefix What names of its parameters begin with.
   * @throws {HatchlingError} When a size is not a positive whole number.
   */
  constructor(prefix: string, config: ProjectorConfig) {
    const { initStd: _, ...sizes } = config;
    for (const [key, value] of Object.entries(sizes)) {
      if (Number.isInteger(value) && value >= 1) continue;
      throw new HatchlingError(
        `Projector ${prefix}: expected ${key} ≥ 1 and whole but found ${value}`,
      );
    }
    this.config = config;
    this.#prefix = prefix;
  }

  /** (name, out, in) of the layers. */
  #linears(): [string, number, number][] {
    const { inDim, hiddenDim, outDim, layers } = this.config;
    const name = `${this.#prefix}.mlp`;
    if (layers === 1) return [[name, outDim, inDim]];
    const widths = [inDim, ...Array<number>(layers - 1).fill(hiddenDim), outDim];
    return widths.slice(1).map((width, i) => [`${name}.${2 * i}`, width, widths[i]]);
  }

  /** Names, shapes and initial values, in checkpoint order. */
  specs(): ParameterSpec[] {
    const { initStd } = this.config;
    return this.#linears().flatMap(([name, out, inputs]) => {
      const uniform: Init = { uniform: 1 / Math.sqrt(inputs) };
      return [
        {
          name: `${name}.weight`,
          shape: [out, inputs],
          init: initStd === undefined ? uniform : { normal: initStd },
        },
        {
          name: `${name}.bias`,
          shape: [out],
          init: initStd === undefined ? uniform : { constant: 0 },
        },
      ];
    });
  }

  /** y [R, outDim], rows of length 1, of features x [R, inDim]; `backward` fills the gradients and returns dx. */
  forward(
    gpu: Gpu,
    params: Parameters,
    x: Tensor,
    options: HeadForwardOptions = {},
  ): { y: Tensor; backward(dy: Tensor): Tensor } {
    const names = this.#linears().map(([name]) => name);
    const runs: LinearResult[] = [];
    let h = x;
    names.forEach((name, i) => {
      const gelu = i + 1 < names.length;
      const run = linear(gpu, h, params.get(`${name}.weight`), params.get(`${name}.bias`), {
        gelu,
        forwardOnly: params.forwardOnly,
        dtype: gelu ? options.precision ?? "f32" : "f32",
      });
      runs.push(run);
      h = run.y;
    });
    const normalized = l2Normalize(gpu, h);
    for (const [name, tensor] of [["bottleneck", h], ["normalized", normalized.y]] as const) {
      options.trace?.set(name, tensor);
      options.watch?.(name, tensor);
    }
    return {
      y: normalized.y,
      backward(dy) {
        let d = normalized.backward(dy);
        for (let i = runs.length - 1; i >= 0; i--) {
          d = runs[i].backward(d, { geluGradOf: i > 0 ? geluInput(runs[i - 1]) : undefined })!;
        }
        return d;
      },
    };
  }
}
