/**
 * What the library and its packages expect of the world around them and a worker of a page does not have. Imported
 * first.
 *
 * @module
 */

const scope = globalThis as unknown as Record<string, unknown>;

/** What the decoders require: their WebAssembly lies beside the worker, under its name alone. */
const MODULES: Readonly<Record<string, unknown>> = {
  "node:path": { join: (...parts: string[]) => parts.join("/") },
  "node:fs": {
    promises: {
      async readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
        const name = path.slice(path.lastIndexOf("/") + 1);
        const response = await fetch(new URL(name, import.meta.url));
        if (!response.ok) throw new Error(`${name} cannot be loaded: ${response.status}`);
        return new Uint8Array(await response.arrayBuffer());
      },
    },
  },
};

// The decoders are written for Node.
scope.process ??= { env: {} };
scope.__dirname ??= "/decoders";
scope.require ??= (name: string) => {
  if (name in MODULES) return MODULES[name];
  throw new Error(`There is no ${name} in a page`);
};

// Older browsers have no `using`: what it becomes looks for these.
for (const name of ["dispose", "asyncDispose"] as const) {
  if (Symbol[name]) continue;
  Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
}

// Chrome has this from 140 on.
const bytes = Uint8Array.prototype as { toHex?(): string };
bytes.toHex ??= function (this: Uint8Array) {
  return Array.from(this, (byte) => byte.toString(16).padStart(2, "0")).join("");
};
