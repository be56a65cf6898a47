/**
 * `deno task config`; its arguments and its work are in config/main.ts. Node and Bun get a sentence: without an
 * import of its own, this file is all that they load.
 *
 * @module
 */
if ("Deno" in globalThis) import("./config/main.ts");
else throw new Error("Hatchling runs on Deno: npx -y deno@2.9.6 task config …");
