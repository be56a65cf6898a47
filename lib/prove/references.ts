/**
 * The references of all kernels.
 *
 * @module
 */
import type { KernelSource } from "../gpu.ts";
import type { Reference } from "./reference.ts";
import { ATTENTION } from "./references/attention.ts";
import { AUGMENTATION } from "./references/augmentation.ts";
import { DINO } from "./references/dino.ts";
import { ELEMENTS } from "./references/elements.ts";
import { IBOT } from "./references/ibot.ts";
import { INFONCE } from "./references/infonce.ts";
import { MATMUL } from "./references/matmul.ts";
import { BATCH_NORM } from "./references/batch_norm.ts";
import { NORMS } from "./references/norms.ts";
import { OPTIMIZER } from "./references/optimizer.ts";
import { GRAM, KOLEO } from "./references/patches.ts";
import { POOLING } from "./references/pooling.ts";
import { ROWS } from "./references/rows.ts";

const ALL: readonly Reference[] = [
  ...MATMUL,
  ...ATTENTION,
  ...NORMS,
  ...BATCH_NORM,
  ...ELEMENTS,
  ...ROWS,
  ...POOLING,
  ...DINO,
  ...IBOT,
  ...INFONCE,
  ...KOLEO,
  ...GRAM,
  ...OPTIMIZER,
  ...AUGMENTATION,
];

/** The reference of a kernel; undefined where nothing is known of it. */
export function referenceOf({ name }: Pick<KernelSource, "name">): Reference | undefined {
  return ALL.find(({ kernels }) => new RegExp(`^(?:${kernels.source})$`).test(name));
}
