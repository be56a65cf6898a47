/**
 * Parameters: named tensors in arenas, so that the optimiser and EMA walk them in a few dispatches.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, sizeOf, Tensor } from "../gpu.ts";
import type { Storage } from "../gpu/tensor.ts";
import type { Weight } from "../ops/weight.ts";

/** Elements to which every tensor of an arena is aligned: 256 bytes. */
export const GRANULE = 64;

/** How a parameter starts out. */
export type Init = { normal: number } | { uniform: number } | { constant: number };

/** A parameter's name, shape and initial distribution. */
export interface ParameterSpec {
  /** As in timm and facebookresearch/dino, `blocks.0.attn.qkv.weight`. */
  readonly name: string;
  /** Dimensions. */
  readonly shape: readonly number[];
  /** Normal with that deviation, uniform in ± that bound, or constant. */
  readonly init: Init;
  /** False: it gets no gradient and no update. */
  readonly trainable?: boolean;
  /** Elements, from one to before another, that are 0 whatever is loaded; whoever makes gradients leaves them 0. */
  readonly held?: readonly [from: number, end: number];
  /** A running statistic of a batch norm, which forward passes move: see `RunningStats`. */
  readonly running?: boolean;
}

/** Where a parameter lies. */
export interface Slot {
  /** Its specification. */
  readonly spec: ParameterSpec;
  /** Arena chunk. */
  readonly chunk: number;
  /** First element within the chunk. */
  readonly start: number;
}

/** The layout that all arenas of one model share: values, gradients, moments, teacher. */
export class Layout {
  /** One per parameter, in order. */
  readonly slots: readonly Slot[];
  /** Elements per chunk; a chunk is at most one binding of the adapter. */
  readonly chunks: readonly number[];
  /** Chunks at the beginning that hold only what is not trained: there are no gradients and moments of them. */
  readonly frozen: number;

  /**
   * Places every tensor.
   *
   * @param limit Most elements of a chunk; by default what the adapter binds at once.
   * @throws {HatchlingError} When a name comes twice or a tensor exceeds the limit.
   */
  constructor(
    gpu: Gpu,
    specs: readonly ParameterSpec[],
    limit: number = Math.floor(gpu.limits.maxStorageBufferBindingSize / 4),
  ) {
    const chunks = [0];
    const names = new Set<string>();
    const first = specs.findIndex(({ trainable }) => trainable !== false);
    this.slots = specs.map((spec, i) => {
      if (names.has(spec.name)) {
        throw new HatchlingError(`Expected unique parameter names but found ${spec.name} twice`);
      }
      names.add(spec.name);
      const size = Math.ceil(sizeOf(spec.shape) / GRANULE) * GRANULE;
      if (size > limit) {
        throw new HatchlingError(
          `Parameter ${spec.name} [${spec.shape.join(", ")}] has ${
            size * 4
          } bytes, more than the ` +
            `${limit * 4} that can be bound at once: use a smaller dimension`,
        );
      }
      if (chunks.at(-1)! + size > limit || i > 0 && i === first) chunks.push(0);
      const start = chunks.at(-1)!;
      chunks[chunks.length - 1] += size;
      return { spec, chunk: chunks.length - 1, start };
    });
    this.chunks = chunks;
    this.frozen = first < 0 ? chunks.length : this.slots[first].chunk;
  }

  /** A zero-filled arena: one tensor per chunk, perhaps without those at the beginning. */
  arena(gpu: Gpu, label: string, from = 0): Tensor[] {
    return this.chunks.slice(from).map((elements, i) =>
      gpu.persistent([Math.max(GRANULE, elements)], `${label}.${i}`)
    );
  }

  /** The view of one parameter in an arena. */
  view(arena: readonly Tensor[], slot: Slot): Tensor {
    const chunk = arena[slot.chunk - this.#from(arena)];
    const storage: Storage = { ...chunk.storage, label: slot.spec.name };
    // A view of the chunk's buffer under the parameter's own name; only the arena itself is ever freed.
    return new Tensor(chunk.gpu, slot.spec.shape, storage, slot.start * 4);
  }

  /** Places of the parameters that an arena holds. */
  slotsOf(arena: readonly Tensor[]): readonly Slot[] {
    const from = this.#from(arena);
    return from ? this.slots.filter(({ chunk }) => chunk >= from) : this.slots;
  }

  #from(arena: readonly Tensor[]): number {
    return this.chunks.length - arena.length;
  }
}

/** One named parameter. */
export interface Parameter extends Weight {
  /** Its name. */
  readonly name: string;
  /** Its specification. */
  readonly spec: ParameterSpec;
}

/**
 * The parameters of a model.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { Parameters } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const params = new Parameters(gpu, [{ name: "w", shape: [2, 3], init: { constant: 1 } }], { grad: true });
 * params.load(new Map([["w", new Float32Array(6)]]));
 * params.destroy();
 * gpu.destroy();
 * ```
 *
 * @category Model
 */
export class Parameters {
  /**
   * Where every tensor lies.
   * @internal
   */
  readonly layout: Layout;
  /** The values, by chunk. */
  readonly data: readonly Tensor[];
  /** The gradients, by chunk from {@linkcode Layout.frozen} on; empty without gradients. */
  readonly grads: readonly Tensor[];
  readonly #byName = new Map<string, Parameter>();
  readonly #gpu: Gpu;

  /**
   * Zero-filled parameters; fill them with {@linkcode load}.
   *
   * @param options `grad`: with gradients; `chunkElements`: most elements of a chunk of the arenas; `label`: what the
   * values are called in plans, `parameters` by default.
   */
  constructor(
    gpu: Gpu,
    specs: readonly ParameterSpec[],
    options: { grad?: boolean; chunkElements?: number; label?: string } = {},
  ) {
    this.#gpu = gpu;
    this.layout = new Layout(gpu, specs, options.chunkElements);
    this.data = this.layout.arena(gpu, options.label ?? "parameters");
    this.grads = options.grad ? this.layout.arena(gpu, "gradients", this.layout.frozen) : [];
    for (const slot of this.layout.slots) {
      const { spec } = slot;
      const grad = options.grad && spec.trainable !== false;
      this.#byName.set(spec.name, {
        name: spec.name,
        spec,
        data: this.layout.view(this.data, slot),
        grad: grad ? this.layout.view(this.grads, slot) : undefined,
      });
    }
  }

  /** All parameters, in order. */
  get all(): Parameter[] {
    return [...this.#byName.values()];
  }

  /**
   * The parameter of that name.
   *
   * @throws {HatchlingError} When there is none.
   */
  get(name: string): Parameter {
    const found = this.#byName.get(name);
    if (!found) {
      throw new HatchlingError(`Expected a parameter named ${name} but the model has none`);
    }
    return found;
  }

  /**
   * The gradients of some parameters as they lie in the arena, neighbours together.
   * @internal
   */
  gradRanges(names: ReadonlySet<string>): Tensor[] {
    const ranges: { chunk: number; start: number; end: number }[] = [];
    for (const { spec, chunk, start } of this.layout.slotsOf(this.grads)) {
      if (!names.has(spec.name)) continue;
      const end = start + Math.ceil(sizeOf(spec.shape) / GRANULE) * GRANULE, last = ranges.at(-1);
      if (last?.chunk === chunk && last.end === start) last.end = end;
      else ranges.push({ chunk, start, end });
    }
    return ranges.map(({ chunk, start, end }) => {
      const { gpu, storage } = this.grads[chunk - this.layout.frozen];
      return new Tensor(gpu, [end - start], storage, start * 4);
    });
  }

  /** Whether no gradient ever comes back through them, as they were made without: passes keep nothing for that. */
  get forwardOnly(): boolean {
    return !this.grads.length;
  }

  /** Declares all gradients empty: the next backward pass overwrites them. */
  zeroGrad(): void {
    this.#fill(false);
  }

  /** Declares that all gradients hold something: the next backward pass adds to them. */
  keepGrad(): void {
    this.#fill(true);
  }

  #fill(filled: boolean): void {
    for (const parameter of this.#byName.values()) parameter.filled = filled;
  }

  /**
   * Uploads values by name.
   *
   * @throws {HatchlingError} Naming every parameter that is missing or has another number of elements;
   * nothing is changed then. Names that the model does not know are ignored.
   */
  load(values: ReadonlyMap<string, Float32Array>): void {
    uploadByName(this, this.data, values);
  }

  /** Downloads all values by name. */
  save(): Promise<Map<string, Float32Array>> {
    return downloadByName(this.#gpu, this, this.data);
  }

  /** Frees values and gradients. */
  destroy(): void {
    for (const chunk of [...this.data, ...this.grads]) chunk.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}

/** Uploads values by name into an arena of the parameters' layout. */
export function uploadByName(
  { layout }: Parameters,
  arena: readonly Tensor[],
  values: ReadonlyMap<string, Float32Array>,
): void {
  const slots = layout.slotsOf(arena);
  const problems = slots.flatMap(({ spec }) => {
    const found = values.get(spec.name);
    const size = sizeOf(spec.shape);
    if (!found) return [`${spec.name} [${spec.shape.join(", ")}] is missing`];
    return found.length === size
      ? []
      : [`${spec.name} has ${found.length} elements instead of ${size} [${spec.shape.join(", ")}]`];
  });
  if (problems.length) {
    throw new HatchlingError(
      `The weights do not fit the model: ${problems.slice(0, 8).join("; ")}${
        problems.length > 8 ? ` and ${problems.length - 8} more` : ""
      }. Use the configuration that they were trained with`,
    );
  }
  for (const slot of slots) {
    const { name, held } = slot.spec, found = values.get(name)!;
    layout.view(arena, slot).write(held ? Float32Array.from(found).fill(0, ...held) : found);
  }
}

/** Downloads an arena of the parameters' layout by name. */
export async function downloadByName(
  gpu: Gpu,
  { layout }: Parameters,
  arena: readonly Tensor[],
): Promise<Map<string, Float32Array>> {
  const chunks = await gpu.read(arena);
  const from = layout.chunks.length - arena.length;
  return new Map(
    layout.slotsOf(arena).map(({ spec, chunk, start }) => [
      spec.name,
      chunks[chunk - from].slice(start, start + sizeOf(spec.shape)),
    ]),
  );
}
