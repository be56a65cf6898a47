/** When a test's child is taken for hanging. */

/** Milliseconds: many times what any of them takes, as a machine may be slow and busy. */
export const HANG_MS = 300_000;
