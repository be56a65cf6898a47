/**
 * What a loss keeps between calls: its centre, its temperatures, and the GPU they live on.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, openGpu, type Tensor } from "../gpu/mod.ts";
import type { TemperatureSource } from "./options.ts";

/** State of a loss; nothing is allocated before it is bound to a GPU. */
export class LossState {
  readonly #outDim: number;
  readonly #start: Float32Array | undefined;
  #gpu: Gpu | undefined;
  #opened: Promise<Gpu> | undefined;
  #center: Tensor | undefined;
  #temperatures: TemperatureSource | undefined;
  #own: Tensor | undefined;

  /** State of a loss over K output dimensions, with the centre at `start` [K] or at zero. */
  constructor(outDim: number, start?: Float32Array, temperatures?: TemperatureSource) {
    this.#outDim = outDim;
    this.#start = start?.slice();
    this.#temperatures = temperatures;
  }

  /** The centre [K]. */
  get center(): Tensor {
    if (this.#center) return this.#center;
    throw new HatchlingError(
      "DinoLoss: expected a GPU for the centre but none is known yet: call forward first, or give { gpu } to the constructor",
    );
  }

  /** Whether the temperatures are somebody else's step scalars. */
  get sharesTemperatures(): boolean {
    return !!this.#temperatures && !this.#own;
  }

  /** Where the kernels read the temperatures. */
  get temperatures(): TemperatureSource {
    return this.#temperatures!;
  }

  /** Ties the loss to a GPU, on which centre and temperatures then live, outside of scopes and recordings. */
  bind(gpu: Gpu, studentTemp: number, teacherTemp: number): void {
    if (this.#gpu && this.#gpu !== gpu) {
      throw new HatchlingError("DinoLoss: expected tensors of one GPU but found those of another");
    }
    if (this.#center) return;
    this.#gpu = gpu;
    gpu.detached(() => {
      this.#center = gpu.persistent([this.#outDim], "center");
      if (this.#start) this.#center.write(this.#start);
      if (this.#temperatures) return;
      this.#own = gpu.persistent([4], "temperatures");
      this.#temperatures = { scalars: this.#own, studentTemp: 0, teacherTemp: 1 };
      this.write(studentTemp, teacherTemp);
    });
  }

  /** Uploads the loss's own temperatures. */
  write(studentTemp: number, teacherTemp: number): void {
    this.#own?.write(new Float32Array([studentTemp, teacherTemp, 0, 0]));
  }

  /** The GPU of the loss, or one that is opened for it. */
  async open(): Promise<Gpu> {
    return this.#gpu ?? await (this.#opened ??= openGpu());
  }

  /** Frees the centre, and the GPU if it was opened for the loss. */
  destroy(): void {
    this.#center?.destroy();
    this.#own?.destroy();
    this.#opened?.then((gpu) => gpu.destroy());
  }
}
