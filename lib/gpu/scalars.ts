/**
 * Numbers that change from step to step: the host rewrites them, recorded kernels read them.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "./gpu.ts";
import type { Tensor } from "./tensor.ts";

/** One number on the GPU: its place in a table. */
export interface Scalar {
  /** The table. */
  table: Tensor;
  /** Where in it. */
  index: number;
}

/**
 * The table of scalars that a kernel binds once.
 *
 * @throws {HatchlingError} When they lie in several.
 */
export function tableOf(...scalars: readonly Scalar[]): Tensor {
  const [{ table }] = scalars;
  if (scalars.every((scalar) => scalar.table === table)) return table;
  const found = scalars.map(({ table, index }) => `${table} at ${index}`).join(" and ");
  throw new HatchlingError(`Expected scalars of one table but found ${found}: make one table`);
}

/**
 * A table of scalars by name, all 0 at first. Names that belong together for a kernel follow each other.
 *
 * @example
 * ```ts
 * import { openGpu, StepScalars } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const scalars = new StepScalars(gpu, ["step", "momentum", "momentumRest"]);
 * scalars.write({ momentum: 0.9, momentumRest: 0.1 });
 * const { table, index } = scalars.at("momentum"); // what ops take
 * console.log((await table.read())[index]); // 0.9
 * scalars.destroy();
 * gpu.destroy();
 * ```
 *
 * @category GPU
 */
export class StepScalars<Name extends string> {
  /** The table. */
  readonly tensor: Tensor;
  readonly #names: readonly Name[];
  readonly #values: Float32Array<ArrayBuffer>;

  /** Allocates the table. */
  constructor(gpu: Gpu, names: readonly Name[], label = "scalars") {
    this.#names = names;
    this.#values = new Float32Array(names.length);
    this.tensor = gpu.persistent([names.length], label);
  }

  /**
   * Where a scalar is.
   *
   * @throws {HatchlingError} When there is none of that name.
   */
  at(name: Name): Scalar {
    const index = this.#names.indexOf(name);
    if (index >= 0) return { table: this.tensor, index };
    throw new HatchlingError(
      `Expected a scalar that is one of ${this.#names.join(", ")} but found ${name}`,
    );
  }

  /** Sets some scalars, the others staying as they are, before everything that is run later. */
  write(values: Readonly<Partial<Record<Name, number>>>): void {
    this.#names.forEach((name, i) => this.#values[i] = values[name] ?? this.#values[i]);
    this.tensor.write(this.#values);
  }

  /** Frees the table. */
  destroy(): void {
    this.tensor.destroy();
  }
}
