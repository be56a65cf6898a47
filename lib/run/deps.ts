/**
 * Packages of this area, fully versioned: an importer by URL does not see `deno.json`.
 *
 * @module
 */

export { z } from "npm:zod@4.6.7";
