/**
 * Training: one step of DINO, recorded once and replayed.
 *
 * @module
 */
export type {
  MicroStepOutputs,
  StepOutputs,
  StepValues,
  TrainerOptions,
  UpdateOutputs,
} from "./train/options.ts";
export { LAST_LAYER, Trainer } from "./train/trainer.ts";
