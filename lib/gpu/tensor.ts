/**
 * A tensor: a shape over a range of a GPU buffer.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** Typed arrays that a tensor is made of; one of halves takes f32, rounded to the nearest. */
export type TensorData = Float32Array | Uint32Array | Int32Array;

/** What the elements of a tensor take: four bytes (f32, or u32 and i32 where a kernel reads them as such), or two. */
export type DType = "f32" | "f16";

/** Bytes of an element. */
export const BYTES: Readonly<Record<DType, number>> = { f32: 4, f16: 2 };

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
 * A dense row-major tensor in GPU memory: f32, unless a kernel reads it as u32 or i32, or halves.
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
  /** What its elements are. */
  readonly dtype: DType;

  /** Use {@linkcode Gpu.tensor} or {@linkcode Gpu.empty} instead. */
  constructor(
    gpu: TensorOwner,
    shape: readonly number[],
    storage: Storage,
    offset: number,
    dtype: DType = "f32",
  ) {
    this.gpu = gpu;
    this.dtype = dtype;
    this.shape = [...shape];
    this.size = sizeOf(shape);
    this.storage = storage;
    this.offset = offset;
  }

  /** Bytes of its elements. */
  get bytes(): number {
    return this.size * BYTES[this.dtype];
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
    const align = this.gpu.alignment, offset = this.offset + start * BYTES[this.dtype];
    if (offset % align !== 0) {
      throw new HatchlingError(
        `Expected a view that starts at a multiple of ${
          align / BYTES[this.dtype]
        } elements but found ${start} in ${this}`,
      );
    }
    return new Tensor(this.gpu, shape, this.storage, offset, this.dtype);
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

  /**
   * Downloads the elements as u32.
   *
   * @throws {HatchlingError} When they are halves.
   */
  async readU32(): Promise<Uint32Array> {
    if (this.dtype !== "f32") {
      throw new HatchlingError(`Expected elements of four bytes to read as u32 but found ${this}`);
    }
    const f = await this.read();
    return new Uint32Array(f.buffer, f.byteOffset, f.length);
  }

  /** Frees the storage, for every view of it. Does nothing the second time. */
  destroy(): void {
    this.gpu.free(this.storage);
  }

  /** For messages: label and shape. */
  toString(): string {
    const type = this.dtype === "f16" ? " of f16" : "";
    return `${this.storage.label}[${this.shape.join(", ")}]${type}`;
  }
}

/**
 * Elements for a tensor of halves, an even number of them: uploads come in whole words.
 *
 * @throws {HatchlingError} When they are no f32, or the word that is filled up is another view's too.
 */
export function toHalves(data: TensorData, tensor: Tensor): Float16Array<ArrayBuffer> {
  if (!(data instanceof Float32Array)) {
    throw new HatchlingError(
      `Expected a Float32Array for ${tensor} but found a ${data.constructor.name}`,
    );
  }
  const { size, offset, bytes, storage } = tensor;
  if (size % 2 && offset + roundUp(bytes, 16) < storage.bytes) {
    throw new HatchlingError(
      `Expected an even number of elements to write into a part of a tensor of f16 but found ${tensor}`,
    );
  }
  const halves = new Float16Array(size + size % 2);
  halves.set(data);
  return halves;
}
