/**
 * The one strict schema: the only source of the keys, their limits, documentation and types, and of their defaults
 * where no module has its own. `docs/configuration.md` is generated from it (`deno task docs:config`).
 *
 * A default is that of `main_dino.py` of facebookresearch/dino (ViT), except where that has none.
 *
 * @module
 */

import type { Keys } from "./kinds.ts";
import { LOSS_KEYS } from "./schema_loss.ts";
import { MODEL_KEYS } from "./schema_model.ts";
import {
  CHECKPOINT_KEYS,
  DEVICE_KEYS,
  EVALUATION_KEYS,
  LOGGING_KEYS,
  OPTIMIZER_KEYS,
  SCHEDULER_KEYS,
  TRAINING_KEYS,
} from "./schema_run.ts";
import {
  ABOUT_VIEWS,
  AUGMENTATION_KEYS,
  DATA_KEYS,
  sharedKeys,
  tableKeys,
  VIEW_TABLES,
} from "./schema_views.ts";
import type { Config } from "./types.ts";

/** A section or table: what it is about, its keys, and the tables inside it. */
export type Described = readonly [
  description: string,
  keys: Keys,
  tables?: Readonly<Record<string, Described>>,
];

/** The sections in the order of a file. */
export const SECTIONS: Readonly<Record<keyof Config, Described>> = {
  data: ["The pictures and how they are read.", DATA_KEYS],
  augmentation: [
    "DINO's multi-crop views: how each view is cut and coloured.",
    { ...AUGMENTATION_KEYS, ...sharedKeys() },
    Object.fromEntries(VIEW_TABLES.map((table) => [table, [ABOUT_VIEWS[table], tableKeys(table)]])),
  ],
  model: ["The vision transformer and its DINO projection head.", MODEL_KEYS],
  loss: ["The DINO loss: temperatures, and what keeps it from collapsing.", LOSS_KEYS],
  optimizer: [
    "The optimiser. Biases and one-dimensional parameters are not decayed.",
    OPTIMIZER_KEYS,
  ],
  scheduler: ["The learning rate over the run.", SCHEDULER_KEYS],
  training: [
    "Length of the run, the teacher, and what keeps the first epochs stable.",
    TRAINING_KEYS,
  ],
  checkpoint: ["When checkpoints are written and how many are kept.", CHECKPOINT_KEYS],
  logging: ["What a run prints and writes.", LOGGING_KEYS],
  evaluation: ["How the teacher's features are judged.", EVALUATION_KEYS],
  device: ["The GPU.", DEVICE_KEYS],
};
