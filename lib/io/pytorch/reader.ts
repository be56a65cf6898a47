/**
 * PyTorch files (.pth, .pt, .bin) as files of weights.
 *
 * The object is read alone; a tensor's bytes are read when it is asked for, so that a file takes little more memory
 * than its largest tensor, and twice that where its values lie in another order.
 *
 * @module
 */
import { DamagedFileError, HatchlingError } from "../../errors.ts";
import { shown } from "../../text.ts";
import type { ByteSource } from "../byte_source.ts";
import type { RawTensor } from "../dtype.ts";
import type { FoundTensor } from "../weight_names.ts";
import type { WeightsFile } from "../tensor_file.ts";
import { readArchive } from "./archive.ts";
import { flatten } from "./flatten.ts";
import { readLegacy, type Saved } from "./legacy.ts";
import { readStorage, type StoragePlace } from "./storages.ts";
import { spanOf, valuesOf } from "./tensor.ts";
import type { TensorRef } from "./values.ts";
import type { Fail } from "./zip.ts";

/** A PyTorch file that is open. One read at a time. */
export class PyTorchFile implements WeightsFile {
  readonly entries: ReadonlyMap<string, FoundTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #tensors: ReadonlyMap<string, TensorRef>;
  readonly #places: ReadonlyMap<string, StoragePlace>;

  private constructor(
    readonly file: string,
    private readonly source: ByteSource,
    { root, places }: Saved,
    private readonly fail: Fail,
  ) {
    const { tensors, texts } = flatten(root, fail);
    if (!tensors.size) {
      fail(
        "it holds no tensors but in objects of classes that are not known here, such as a whole model: load it in " +
          'Python and save the weights alone: torch.save(model.state_dict(), "weights.pth")',
      );
    }
    const entries = new Map<string, FoundTensor>();
    for (const [name, { type, shape }] of tensors) {
      if (type.dtype) entries.set(name, { name, dtype: type.dtype, shape: [...shape] });
      else texts.set(name, `left out: a tensor of ${type.name}, shape [${shape}]`);
    }
    this.entries = entries;
    this.metadata = Object.fromEntries(texts);
    this.#tensors = tensors;
    this.#places = places;
  }

  /** Reads all but the tensors; what is wrong with it is an error, and the source is closed then. */
  static async open(
    file: string,
    source: ByteSource,
    format: "archive" | "legacy",
  ): Promise<PyTorchFile> {
    const fail: Fail = (message) => {
      throw new DamagedFileError(`${shown(file)}: not a PyTorch file that can be read: ${message}`);
    };
    try {
      const saved = await (format === "archive" ? readArchive : readLegacy)(source, fail);
      return new PyTorchFile(file, source, saved, fail);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  async read(name: string): Promise<RawTensor> {
    const found = this.entries.get(name), tensor = this.#tensors.get(name);
    if (!found || !tensor) {
      throw new HatchlingError(
        `Expected a tensor ${shown(name)} in ${shown(this.file)}: none there`,
      );
    }
    const { storage, type, offset, shape, strides } = tensor;
    const begin = storage.offset * storage.type.size + offset * type.size;
    const end = begin + spanOf(shape, strides) * type.size;
    const place = this.#places.get(storage.key)!;
    const span = await readStorage(this.source, place, begin, end, this.fail);
    return { dtype: found.dtype, shape: [...shape], data: valuesOf(tensor, span) };
  }

  [Symbol.dispose](): void {
    this.source.close();
  }
}
