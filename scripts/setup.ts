/**
 * `deno task setup`; its arguments and its work are in setup/main.ts. Node and Bun get a sentence: without an
 * import of its own, this file is all that they load.
 *
 * @module
 */
if ("Deno" in globalThis) import("./setup/main.ts");
else throw new Error("Hatchling runs on Deno: npx -y deno@2.9.6 task setup …");
