/**
 * The configuration as plain objects: the types follow from the tables of keys.
 *
 * @module
 */

import type { ValuesOf } from "./kinds.ts";
import type { LOSS_KEYS } from "./schema_loss.ts";
import type { MODEL_KEYS } from "./schema_model.ts";
import type {
  CHECKPOINT_KEYS,
  DEVICE_KEYS,
  EVALUATION_KEYS,
  LOGGING_KEYS,
  OPTIMIZER_KEYS,
  SCHEDULER_KEYS,
  TRAINING_KEYS,
} from "./schema_run.ts";
import type { AUGMENTATION_KEYS, DATA_KEYS, VIEW_KEYS, ViewTable } from "./schema_views.ts";

/** Section `data`. */
export interface DataConfig extends ValuesOf<typeof DATA_KEYS> {}
/** A table of views: `augmentation.global_1`, `augmentation.global_2` or `augmentation.local`. */
export interface ViewConfig extends ValuesOf<typeof VIEW_KEYS> {}
/** The base keys of views and the short forms. */
export type SharedViewConfig =
  & Omit<ViewConfig, `crop_scale_${"min" | "max"}` | "gaussian_blur_prob">
  & Readonly<Record<`${"global" | "local"}_crop_scale_${"min" | "max"}`, number>>;
/** Section `augmentation`. */
export interface AugmentationConfig
  extends
    ValuesOf<typeof AUGMENTATION_KEYS>,
    SharedViewConfig,
    Readonly<Record<ViewTable, ViewConfig>> {}
/** Section `model`. */
export interface ModelConfig extends ValuesOf<typeof MODEL_KEYS> {}
/** Section `loss`. */
export interface LossConfig extends ValuesOf<typeof LOSS_KEYS> {}
/** Section `optimizer`. */
export interface OptimizerConfig extends ValuesOf<typeof OPTIMIZER_KEYS> {}
/** Section `scheduler`. */
export interface SchedulerConfig extends ValuesOf<typeof SCHEDULER_KEYS> {}
/** Section `training`. */
export interface TrainingConfig extends ValuesOf<typeof TRAINING_KEYS> {}
/** Section `checkpoint`. */
export interface CheckpointConfig extends ValuesOf<typeof CHECKPOINT_KEYS> {}
/** Section `logging`. */
export interface LoggingConfig extends ValuesOf<typeof LOGGING_KEYS> {}
/** Section `evaluation`. */
export interface EvaluationConfig extends ValuesOf<typeof EVALUATION_KEYS> {}
/** Section `device`. */
export interface DeviceConfig extends ValuesOf<typeof DEVICE_KEYS> {}

/**
 * A whole configuration, every key present. Names are those of the YAML file.
 *
 * @category Training
 */
export interface Config {
  /** The pictures. */
  readonly data: DataConfig;
  /** The views. */
  readonly augmentation: AugmentationConfig;
  /** The network. */
  readonly model: ModelConfig;
  /** The loss. */
  readonly loss: LossConfig;
  /** The optimiser. */
  readonly optimizer: OptimizerConfig;
  /** The learning rate. */
  readonly scheduler: SchedulerConfig;
  /** The run and the teacher. */
  readonly training: TrainingConfig;
  /** What is saved. */
  readonly checkpoint: CheckpointConfig;
  /** What is printed and written. */
  readonly logging: LoggingConfig;
  /** How features are judged. */
  readonly evaluation: EvaluationConfig;
  /** The GPU. */
  readonly device: DeviceConfig;
}
