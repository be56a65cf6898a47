/**
 * What a loss keeps on a GPU between calls: its centre, and its temperatures.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, StepScalars, type Tensor } from "../gpu.ts";
import type { DinoLossContext, FullSettings, TemperaturesAt } from "./options.ts";

/** What a loss runs on: its GPU, the centre to start from, and temperatures that are not its own. */
type Given = DinoLossContext & { temperaturesAt?: TemperaturesAt };

/** State of a loss; nothing is allocated before it meets a GPU. */
export class LossState {
  readonly #settings: FullSettings;
  readonly #given: Given;
  readonly #loss: string;
  #state?: ReturnType<typeof allocate>;
  #destroyed = false;

  /** State of a loss with such settings, all filled in, that was given these; `loss` is its name, for messages. */
  constructor(settings: FullSettings, given: Given, loss = "DinoLoss") {
    this.#settings = settings;
    this.#loss = loss;
    this.#given = { ...given, center: given.center?.slice() };
    if (given.gpu) this.on(given.gpu);
  }

  /** The centre [K]. */
  get center(): Tensor {
    if (this.#state) return this.#state.center;
    throw new HatchlingError(
      `${this.#loss}: expected a GPU for the centre but none is known yet: call forward first, or give { gpu } to the constructor`,
    );
  }

  /**
   * The state on a GPU, which is the first one that the loss meets.
   *
   * @returns The centre; what the teacher's logits lose [K], zeros where there is no centre; the temperatures.
   */
  on(gpu: Gpu): { center: Tensor; subtracted: Tensor; temperaturesAt: TemperaturesAt } {
    if (this.#destroyed) {
      throw new HatchlingError(
        `${this.#loss}: expected a loss but this one was destroyed: make a new one`,
      );
    }
    this.#state ??= gpu.detached(() => allocate(gpu, this.#settings, this.#given));
    if (this.#state.center.gpu === gpu) return this.#state;
    throw new HatchlingError(
      `${this.#loss}: expected tensors of the GPU that holds its centre but found those of another: make one loss for each GPU`,
    );
  }

  /** Frees it. */
  destroy(): void {
    this.#destroyed = true;
    for (const tensor of this.#state?.owned ?? []) tensor.destroy();
  }
}

function allocate(
  gpu: Gpu,
  settings: FullSettings,
  { center: start, temperaturesAt }: Given,
) {
  const { outDim, centering, studentTemp, teacherTemp } = settings;
  const center = gpu.persistent([outDim], "center");
  if (start) center.write(start);
  const subtracted = centering === "none" ? gpu.persistent([outDim], "no_center") : center;
  const owned = [center, subtracted];
  if (temperaturesAt) return { center, subtracted, temperaturesAt, owned };
  const own = new StepScalars(gpu, ["student", "teacher"], "temperatures");
  own.write({ student: studentTemp, teacher: teacherTemp });
  const at = { student: own.at("student"), teacher: own.at("teacher") };
  return { center, subtracted, temperaturesAt: at, owned: [...owned, own.tensor] };
}
