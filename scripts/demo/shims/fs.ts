/**
 * `node:fs` for the decoders in a page: their WebAssembly lies beside the worker.
 *
 * @module
 */

/** Reads a file by its name alone. */
export const promises = {
  async readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const response = await fetch(new URL(name, import.meta.url));
    if (!response.ok) throw new Error(`${name} cannot be loaded: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  },
};
