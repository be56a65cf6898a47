/**
 * Whether a machine computes right: its kernels against float64, at odd shapes and at those of a configuration.
 *
 * @module
 */
export { Bounded, exact, Sum } from "./prove/bounded.ts";
export { type Capture, CaptureGpu } from "./prove/capture.ts";
export type { Strike } from "./prove/kept.ts";
export { EFFORTS, type Findings, proveMachine, type ProveOptions } from "./prove/machine.ts";
export { Given, type Part, type Reference } from "./prove/reference.ts";
export { referenceOf } from "./prove/references.ts";
export { type Effort, type Proof, prove } from "./prove/run.ts";
