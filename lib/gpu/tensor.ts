/**
 * A tensor: a shape over a range of a GPU buffer.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** Typed arrays that a tensor can hold: 4-byte elements only. */
export type TensorData = Float32Array | Uint32Array | Int32Array;

/**
 * The memory behind one or more tensors. While a program is being recorded, `buffer` of a temporary is
 * undefined: the plan assigns it when the recording ends.
 */
export interface Storage {
  /** The GPU buffer, once there is one. */
  buffer?: GPUBuffer;
  /** Bytes this storage asks for, a multiple of 16. */
  bytes: number;
  /** True once freed; using it afterwards is an error. */
  destroyed: boolean;
  /** Shown in messages. */
  label: string;
}

/** Who holds a tensor's memory: a `Gpu`. */
export interface TensorOwner {
  /** What the adapter allows. */
  readonly limits: GPUSupportedLimits;
  /** Bytes to which views must be aligned. */
  readonly alignment: number;
  /** Queues an upload before everything dispatched later. */
  upload(tensor: Tensor, data: TensorData): void;
  /** Downloads several tensors with one wait. */
  read(tensors: readonly Tensor[]): Promise<Float32Array[]>;
  /** Frees a storage. */
  free(storage: Storage): void;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Rounds up to a multiple. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/**
 * A dense row-major tensor of 4-byte elements (f32 unless a kernel reads it as u32 or i32) in GPU memory.
 * Views share their storage with the tensor that they come from; who allocates, frees.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const x = gpu.tensor(new Float32Array([1, 2, 3, 4]), [2, 2]);
 * console.log(await x.read());
 * x.destroy();
 * gpu.destroy();
 * ```
 *
 * @category GPU
 */
export class Tensor {
  /**
   * The GPU that holds it.
   * @internal
   */
  readonly gpu: TensorOwner;
  /** Dimensions, outermost first; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly size: number;
  /**
   * The memory behind it.
   * @internal
   */
  readonly storage: Storage;
  /** Bytes from the start of the storage. */
  readonly offset: number;

  /** Use {@linkcode Gpu.tensor} or {@linkcode Gpu.empty} instead. */
  constructor(gpu: TensorOwner, shape: readonly number[], storage: Storage, offset: number) {
    this.gpu = gpu;
    this.shape = [...shape];
    this.size = sizeOf(shape);
    this.storage = storage;
    this.offset = offset;
  }

  /** Bytes of its elements. */
  get bytes(): number {
    return this.size * 4;
  }

  /** The buffer range to bind: its size is rounded up to whole vec4s, which the padding always allows. */
  binding(): GPUBufferBinding {
    if (this.storage.destroyed || !this.storage.buffer) {
      throw new HatchlingError(
        `Tensor ${this} has no memory: it was ${
          this.storage.destroyed
            ? "destroyed"
            : "a temporary of a recording that is over or not planned yet"
        }`,
      );
    }
    return { buffer: this.storage.buffer, offset: this.offset, size: roundUp(this.bytes, 16) };
  }

  /**
   * The same elements under another shape, or a part of them.
   *
   * @param shape The view's shape.
   * @param start First element; its byte offset must be a multiple of the adapter's storage alignment.
   * @throws {HatchlingError} When the view leaves the tensor or cannot be bound.
   */
  view(shape: readonly number[], start = 0): Tensor {
    const size = sizeOf(shape);
    if (start < 0 || start + size > this.size) {
      throw new HatchlingError(
        `Expected a view within the ${this.size} elements of ${this} but found [${shape}] from element ${start}`,
      );
    }
    const align = this.gpu.alignment;
    if ((this.offset + start * 4) % align !== 0) {
      throw new HatchlingError(
        `Expected a view that starts at a multiple of ${
          align / 4
        } elements but found ${start} in ${this}`,
      );
    }
    return new Tensor(this.gpu, shape, this.storage, this.offset + start * 4);
  }

  /** Uploads all elements; takes effect before the next dispatch. */
  write(data: TensorData): void {
    if (data.length !== this.size) {
      throw new HatchlingError(
        `Expected ${this.size} elements for ${this} but found ${data.length}`,
      );
    }
    this.gpu.upload(this, data);
  }

  /** Downloads the elements as f32. One read costs about 11 ms whatever its size: read many with {@linkcode Gpu.read}. */
  async read(): Promise<Float32Array> {
    return (await this.gpu.read([this]))[0];
  }

  /** Downloads the elements as u32. */
  async readU32(): Promise<Uint32Array> {
    const f = await this.read();
    return new Uint32Array(f.buffer, f.byteOffset, f.length);
  }

  /** Frees the storage, for every view of it. Does nothing the second time. */
  destroy(): void {
    this.gpu.free(this.storage);
  }

  /** For messages: label and shape. */
  toString(): string {
    return `${this.storage.label}[${this.shape.join(", ")}]`;
  }
}
