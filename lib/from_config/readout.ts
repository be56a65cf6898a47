/**
 * What is read out of a model.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Readout } from "../eval/readout.ts";

/** What is read out of a model to judge, embed and search pictures. */
export function readoutOf({ evaluation }: Pick<Config, "evaluation">): Required<Readout> {
  const { feature, last_blocks: lastBlocks, combine_blocks: combine } = evaluation;
  return { feature, lastBlocks, combine };
}
