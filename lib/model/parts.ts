/**
 * Which part of a model a parameter belongs to.
 *
 * @module
 */

/** What comes before the first block: patches, positions, tokens. */
const EMBEDDING = /^(cls_token$|mask_token$|reg_token$|register_tokens$|pos_embed$|patch_embed\.)/;
/** A block, and which one. */
const BLOCK = /^blocks\.(\d+)\./;
/** A residual block of a stage. */
const STAGE = /^layer\d+\.\d+(?=\.)/;
/** A projection head: DINO's, that of masked patches, a contrastive one. */
const HEAD = /^(\w+_)?head\./;

/** Whether a parameter belongs to a head, not to the backbone. */
export const isHead = (name: string): boolean => HEAD.test(name);

/** The block that a parameter belongs to, from 0; −1 for the embedding, undefined for what follows the blocks. */
export function blockOf(name: string): number | undefined {
  const block = BLOCK.exec(name);
  if (block) return Number(block[1]);
  return EMBEDDING.test(name) ? -1 : undefined;
}

/** `patch_embed` (with positions and tokens), `blocks.0`, …, `norm`, `head`, or what else a name begins with. */
export function partOf(name: string): string {
  const block = blockOf(name);
  if (block === undefined) return STAGE.exec(name)?.[0] ?? name.split(".", 1)[0];
  return block < 0 ? "patch_embed" : `blocks.${block}`;
}
