/**
 * The error classes of the project.
 *
 * @module
 */

/**
 * Bad input or a machine that cannot do what was asked. Its message says what was expected, what was
 * found, where, and what to do; scripts print it without a stack and exit with status 1.
 *
 * @example
 * ```ts
 * import { HatchlingError } from "@hatchling/hatchling";
 *
 * const error = new HatchlingError("Expected K ≥ 2 but found 1: raise model.projection_output_dim");
 * console.assert(error.name === "HatchlingError");
 * ```
 *
 * @category Files
 */
export class HatchlingError extends Error {
  /** Always "HatchlingError", so that it can be told from a bug across module copies. */
  override name = "HatchlingError";
}

/**
 * The GPU is in trouble: lost, out of memory, or it found fault with what it was given. Its state is not to be
 * relied on; a run can go on from its last checkpoint with a new device.
 *
 * @category GPU
 */
export class DeviceError extends HatchlingError {}

/**
 * A file is not what its format asks for: cut off, overwritten, or of another kind. Where there is another file
 * that will do, that may be taken instead.
 *
 * @category Files
 */
export class DamagedFileError extends HatchlingError {}
