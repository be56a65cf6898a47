/**
 * The one strict schema: the only source of the keys, their defaults, limits and documentation.
 * `types.ts` and `docs/configuration.md` are generated from it (`deno task docs:config`).
 *
 * A default is that of `main_dino.py` of facebookresearch/dino (ViT), except where that has none.
 *
 * @module
 */

import { z } from "./deps.ts";
import { loss, model } from "./schema_model.ts";
import {
  checkpoint,
  device,
  evaluation,
  logging,
  optimizer,
  scheduler,
  training,
} from "./schema_run.ts";
import { augmentation, data } from "./schema_views.ts";

/** The whole configuration before nulls are worked out. */
export const configSchema = z.strictObject({
  data,
  augmentation,
  model,
  loss,
  optimizer,
  scheduler,
  training,
  checkpoint,
  logging,
  evaluation,
  device,
});

/** What the schema gives: every key present, nulls not yet worked out. */
export type ParsedConfig = z.output<typeof configSchema>;
