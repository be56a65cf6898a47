/**
 * `deno task doctor`; its arguments and its work are in doctor/main.ts. Node and Bun get a sentence: without an
 * import of its own, this file is all that they load.
 *
 * @module
 */
if ("Deno" in globalThis) import("./doctor/main.ts");
else throw new Error("Hatchling runs on Deno: npx -y deno@2.9.6 task doctor …");
