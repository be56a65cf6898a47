/**
 * Imported first by scripts and preloaded by tests: finds or gets an adapter before anything asks for one.
 *
 * @module
 */
import { ensureAdapter } from "../../lib/adapter.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { say } from "./terminal.ts";

try {
  await ensureAdapter({ log: say });
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  say(`error: ${error.message}`);
  Deno.exit(1);
}
