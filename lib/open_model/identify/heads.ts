/**
 * How many attention heads a model has: what its shapes do not tell.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import type { Network } from "../../io/names/networks.ts";
import { shown } from "../../text.ts";
import type { IdentifyOptions } from "./types.ts";
import { countAt } from "./json.ts";

/** Heads by width, of the models that are published: 64 numbers each; ViT-H has 80. */
const HEADS: Readonly<Record<number, number>> = {
  192: 3,
  384: 6,
  512: 8,
  768: 12,
  1024: 16,
  1280: 16,
  1536: 24,
  4096: 32,
};

/**
 * The number of heads: as said, by config.json, by the periods of rotary positions (a quarter of a head each), or that
 * of the published models of this width.
 *
 * @throws {HatchlingError} When nothing tells, or it does not divide the width.
 */
export function headsOf(
  { tensors, layout }: Network,
  dim: number,
  { file, config, heads, commandLine }: IdentifyOptions,
): number {
  const periods = tensors.get("rope_embed.periods")?.shape[0];
  const isDinov3 = /dinov3|eva/.test(layout.name);
  const known = heads ?? countAt(config, "num_attention_heads") ??
    (periods ? dim / (4 * periods) : undefined) ?? (isDinov3 && dim === 1280 ? 20 : HEADS[dim]);
  if (known === undefined) {
    const likely = dim % 64 ? "N" : dim / 64, rule = "as a rule a head has 64 numbers";
    const remedy = commandLine
      ? `say it, --model.heads ${likely} (${rule}), or name the folder of its run`
      : `give a configuration with model.heads ${likely} (${rule}), or the config.yaml of its run`;
    throw new HatchlingError(
      `Expected the number of attention heads of ${
        shown(file)
      } but neither its shapes nor its width ${dim} tell: ${remedy}`,
    );
  }
  if (!Number.isInteger(known) || dim % known) {
    throw new HatchlingError(
      `Expected attention heads that divide the width ${dim} of ${
        shown(file)
      } but found ${known}: ` +
        `set ${commandLine ? "--" : ""}model.heads`,
    );
  }
  return known;
}
