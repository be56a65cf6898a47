/**
 * Imported first by scripts and preloaded by tests: finds or gets an adapter before anything asks for one.
 *
 * @module
 */

import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { HatchlingError } from "../lib/errors.ts";

try {
  await ensureAdapter();
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
