/**
 * What a loss keeps between calls: its centre, its temperatures, and the GPU they live on.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, openGpu, type Tensor } from "../gpu/mod.ts";
import type { DinoLossOptions, FullSettings, TemperatureSource } from "./options.ts";

/** State of a loss; nothing is allocated before it is bound to a GPU. */
export class LossState {
  readonly #settings: () => FullSettings;
  readonly #start: Float32Array | undefined;
  #gpu: Gpu | undefined;
  #opened: Promise<Gpu> | undefined;
  #center: Tensor | undefined;
  #zeros: Tensor | undefined;
  #temperatures: TemperatureSource | undefined;
  #own: Tensor | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  /** State of a loss with settings that may change. */
  constructor(
    settings: () => FullSettings,
    { center, temperatures }: Pick<DinoLossOptions, "center" | "temperatures">,
  ) {
    this.#settings = settings;
    this.#start = center?.slice();
    this.#temperatures = temperatures;
  }

  /** The centre [K]. */
  get center(): Tensor {
    if (this.#center) return this.#center;
    throw new HatchlingError(
      "DinoLoss: expected a GPU for the centre but none is known yet: call forward first, or give { gpu } to the constructor",
    );
  }

  /** What the teacher's logits lose: the centre, or zeros where there is none. */
  get subtracted(): Tensor {
    return this.#zeros ?? this.center;
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
  bind(gpu: Gpu): void {
    this.#checkAlive();
    if (this.#gpu && this.#gpu !== gpu) {
      throw new HatchlingError(
        "DinoLoss: expected tensors of the GPU that holds its centre but found those of another: make one loss for each GPU",
      );
    }
    if (this.#center) return;
    this.#gpu = gpu;
    const { outDim, centering } = this.#settings();
    gpu.detached(() => {
      this.#center = gpu.persistent([outDim], "center");
      if (this.#start) this.#center.write(this.#start);
      if (centering === "none") this.#zeros = gpu.persistent([outDim], "no_center");
      if (this.#temperatures) return;
      this.#own = gpu.persistent([4], "temperatures");
      this.#temperatures = { scalars: this.#own, studentTemp: 0, teacherTemp: 1 };
      this.write(this.#settings());
    });
  }

  /** Uploads the loss's own temperatures. */
  write({ studentTemp, teacherTemp }: FullSettings): void {
    this.#own?.write(new Float32Array([studentTemp, teacherTemp, 0, 0]));
  }

  /**
   * Runs a task with the loss's GPU, or one that is opened for it, after all such tasks before it, and with the
   * settings of now.
   */
  inTurn<T>(task: (gpu: Gpu) => Promise<T>): Promise<T> {
    const settings = this.#settings();
    const result = this.#turn.then(async () => {
      this.#checkAlive();
      const gpu = this.#gpu ?? await this.#open();
      this.bind(gpu);
      this.write(settings);
      try {
        return await task(gpu);
      } finally {
        if (!this.#destroyed) this.write(this.#settings());
      }
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  async #open(): Promise<Gpu> {
    this.#opened = openGpu();
    try {
      return await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }

  #checkAlive(): void {
    if (!this.#destroyed) return;
    throw new HatchlingError(
      "DinoLoss: expected a loss but this one was destroyed: make a new one",
    );
  }

  /** Frees the centre, and the GPU if it was opened for the loss. */
  destroy(): void {
    this.#destroyed = true;
    for (const t of [this.#center, this.#zeros, this.#own]) t?.destroy();
    this.#opened?.then((gpu) => gpu.destroy(), () => {});
  }
}
