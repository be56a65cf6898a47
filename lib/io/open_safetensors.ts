/**
 * Safetensors files on the disk.
 *
 * @module
 */
import { openSource } from "./file_source.ts";
import { SafetensorsReader } from "./safetensors_reader.ts";

/**
 * Opens a safetensors file and checks its header: lengths, names, types, and that the tensors fill the file. No
 * tensor is read yet.
 *
 * @throws {HatchlingError} When it is no regular file, cannot be read, is damaged or of another kind.
 *
 * @example
 * ```ts
 * import { float32Tensor, serializeSafetensors } from "@hatchling/hatchling/io";
 * import { openSafetensors } from "./open_safetensors.ts";
 *
 * const path = await Deno.makeTempFile();
 * const tensors = new Map([["w", float32Tensor(new Float32Array(6), [2, 3])]]);
 * await Deno.writeFile(path, serializeSafetensors(tensors));
 * using file = await openSafetensors(path);
 * console.assert(file.entries.get("w")!.shape.join() === "2,3");
 * console.assert((await file.read("w")).data.length === 6);
 * await Deno.remove(path);
 * ```
 */
export async function openSafetensors(path: string): Promise<SafetensorsReader> {
  return await SafetensorsReader.open(path, await openSource(path));
}
