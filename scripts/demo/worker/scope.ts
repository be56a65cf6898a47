/**
 * What the library and its packages expect of the world around them and a worker of a page does not have. Imported
 * first.
 *
 * @module
 */

const scope = globalThis as unknown as Record<string, unknown>;

// The decoders are written for Node: they look at the environment and read their WebAssembly from beside themselves.
scope.process ??= { env: {} };
scope.__dirname ??= "/decoders";

// Older browsers have no `using`: what it becomes looks for these.
for (const name of ["dispose", "asyncDispose"] as const) {
  if (Symbol[name]) continue;
  Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
}
