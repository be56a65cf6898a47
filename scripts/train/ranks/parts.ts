/**
 * What every rank has, whether it leads or follows.
 *
 * @module
 */
import type { Config } from "../../../lib/config.ts";
import type { Loader } from "../../../lib/data/loader.ts";
import type { Gpu } from "../../../lib/gpu.ts";
import type { DinoModel } from "../../../lib/model.ts";
import type { Ranks, Trainer } from "../../../lib/train.ts";
import type { Feed } from "../../../lib/train/feed.ts";
import type { Progress } from "../../common/progress.ts";
import type { Guard } from "../guard.ts";
import type { Pictures } from "../pictures.ts";
import type { Stepper } from "../stepper.ts";
import type { Team } from "./team.ts";

/** What a rank trains with. */
export interface RankParts {
  team: Team;
  guard: Guard;
  progress: Progress;
  pictures: Pictures;
  gpu: Gpu;
  config: Config;
  loader: Loader;
  model: DinoModel;
  trainer: Trainer;
  feed: Feed;
  stepper: Stepper;
  /** What adds up gradients, where there are several ranks. */
  ranks?: Ranks;
}
