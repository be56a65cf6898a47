/**
 * Modules of Node that Deno, Node and Bun have built in, and a page has not.
 *
 * @module
 */

interface Process {
  getBuiltinModule?(name: string): unknown;
}

/**
 * A built-in module, where there is one. It is looked up rather than imported, so that what can do without it is
 * imported in a page as well.
 *
 * @typeParam Module `typeof import("node:zlib")` and the like.
 */
export function builtin<Module>(name: `node:${string}`): Module | undefined {
  const { process } = globalThis as { process?: Process };
  return process?.getBuiltinModule?.(name) as Module | undefined;
}
