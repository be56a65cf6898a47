/**
 * Running statistics of batch norms while a step is under way.
 *
 * @module
 */
import code from "../../kernels/running_stats.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Scalar, type Tensor } from "../gpu.ts";
import type { Parameters } from "./parameters.ts";

const RUNNING_STATS = defineKernel("running_stats", code);

/**
 * The running statistics that a step's forward passes make, beside those of the parameters, which hold until the step
 * is done: so that a step that is left, or comes to nothing, has not moved them.
 *
 * @example A pass that normalises by its batch
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, ResNet, RunningStats } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const resnet = new ResNet({ layers: 18, imageSize: 32, width: 4 });
 * const params = new Parameters(gpu, resnet.specs());
 * params.load(initialize(resnet.specs(), 0));
 * const stats = new RunningStats(gpu, params);
 * const images = gpu.tensor(Float32Array.from({ length: 2 * 3 * 32 * 32 }, Math.random), [2, 3, 32, 32]);
 * stats.begin();
 * const { y } = gpu.scope(() => ({ y: resnet.forward(gpu, params, [images], { stats }).y }));
 * stats.commit(); // now those of the parameters have moved
 * console.log(await y.read(), await params.get("bn1.running_mean").data.read());
 * for (const part of [y, images, stats, params]) part.destroy();
 * gpu.destroy();
 * ```
 */
export class RunningStats {
  readonly #gpu: Gpu;
  readonly #params: Parameters;
  readonly #next: readonly Tensor[];
  readonly #byName: ReadonlyMap<string, Tensor>;

  /** Room beside the parameters; see {@linkcode RunningStats.of} where they may have none. */
  constructor(gpu: Gpu, params: Parameters) {
    const { layout } = params;
    this.#gpu = gpu;
    this.#params = params;
    this.#next = layout.chunks.slice(0, layout.frozen).map((elements, i) =>
      gpu.persistent([elements], `running_stats.${i}`)
    );
    this.#byName = new Map(
      layout.slots.filter(({ spec }) => spec.running).map((slot) => {
        const { shape, name } = slot.spec;
        return [name, this.#next[slot.chunk].view([...shape], slot.start)] as const;
      }),
    );
  }

  /** Those of parameters that have any. */
  static of(gpu: Gpu, params: Parameters): RunningStats | undefined {
    return params.all.some(({ spec }) => spec.running) ? new RunningStats(gpu, params) : undefined;
  }

  /** Where the step's forward passes keep one of them. */
  get(name: string): Tensor {
    return this.#byName.get(name)!;
  }

  /** Begins a step from those of the parameters: at micro-batch 0 where there are several, else at once. */
  begin(microBatch?: Scalar): void {
    this.#copy(this.#params.data, this.#next, { scalar: microBatch });
  }

  /** Makes them those of the parameters, unless the step's non-finite flag is set. */
  commit(flag?: Tensor): void {
    this.#copy(this.#next, this.#params.data, { flag });
  }

  #copy(
    from: readonly Tensor[],
    to: readonly Tensor[],
    { scalar, flag }: { scalar?: Scalar; flag?: Tensor },
  ): void {
    this.#next.forEach((_, i) => {
      const n = this.#next[i].size;
      this.#gpu.dispatch(RUNNING_STATS, {
        constants: { FIRST: !!scalar, FLAG: !!flag },
        bindings: { src: from[i], scalars: scalar?.table, flag, out: to[i] },
        params: { n, index: scalar?.index ?? 0 },
        workgroups: grid(n, 64),
      });
    });
  }

  /** Frees them. */
  destroy(): void {
    for (const chunk of this.#next) chunk.destroy();
  }
}
