/**
 * The one error class of the project.
 *
 * @module
 */

/**
 * Bad input or a machine that cannot do what was asked. Its message says what was expected, what was
 * found, where, and what to do; scripts print it without a stack and exit with status 1.
 *
 * @example
 * ```ts
 * import { HatchlingError } from "./errors.ts";
 *
 * const error = new HatchlingError("Expected K ≥ 2 but found 1: raise model.projection_output_dim");
 * console.assert(error.name === "HatchlingError");
 * ```
 */
export class HatchlingError extends Error {
  /** Always "HatchlingError", so that it can be told from a bug across module copies. */
  override name = "HatchlingError";
}
