/**
 * Weights in any format, from bytes.
 *
 * @module
 */
import { bytesOf, type ByteSource, sourceOf } from "./byte_source.ts";
import { isArchive, isLegacy } from "./pytorch/marks.ts";
import { PyTorchFile } from "./pytorch/reader.ts";
import { SafetensorsReader } from "./safetensors_reader.ts";
import type { WeightsFile } from "./tensor_file.ts";

/** What a folder of Hugging Face holds its weights in, the one to take first. */
export const IN_FOLDERS: readonly string[] = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/** Bytes that tell the format. */
const START = 512;

/**
 * Opens weights. What is none of PyTorch's formats is read as safetensors, whose errors tell what else it is.
 *
 * @param file How messages call it.
 * @throws {DamagedFileError} When it is damaged or of another kind.
 */
export async function openWeightsSource(file: string, source: ByteSource): Promise<WeightsFile> {
  const start = String.fromCharCode(...await bytesOf(source, 0, Math.min(START, source.size)));
  const format = isArchive(start) ? "archive" : isLegacy(start) ? "legacy" : undefined;
  if (format === undefined) return await SafetensorsReader.open(file, source);
  return await PyTorchFile.open(file, source, format);
}

/** The same of a file in memory, which is no index. */
export async function openWeightsBytes(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
): Promise<WeightsFile> {
  return await openWeightsSource(file, sourceOf(bytes));
}
