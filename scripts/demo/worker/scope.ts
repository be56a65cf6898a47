/**
 * What the library expects of the world around it and some browsers do not have. Imported first.
 *
 * @module
 */

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
