/**
 * Every npm package that library code uses, fully versioned: somebody who imports `mod.ts` by URL does
 * not see this project's `deno.json`.
 *
 * @module
 */

export { mat3, vec2 } from "npm:wgpu-matrix@3.4.2";
