/**
 * There is no disk in a page.
 *
 * @module
 */

/** Never called: in a page a path is an address. */
export function readFromDisk(path: string): never {
  throw new Error(`Expected an address but found the path ${path}`);
}
