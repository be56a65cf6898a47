/**
 * `deno task hatchling`; its arguments and its work are in hatchling/main.ts. Node and Bun get a sentence: without an
 * import of its own, this file is all that they load.
 *
 * @module
 */
if ("Deno" in globalThis) import("./hatchling/main.ts");
else throw new Error("Hatchling runs on Deno: npx -y deno@2.9.6 task hatchling …");
