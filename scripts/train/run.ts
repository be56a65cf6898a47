/**
 * What a run consists of.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import type { SideFiles } from "../../lib/run/side_files.ts";
import type { CodeVersion } from "../common/code_version.ts";
import type { KernelRecord } from "../common/kernels.ts";
import type { Progress } from "../common/progress.ts";
import type { Arguments } from "./arguments.ts";
import type { Guard } from "./guard.ts";
import type { Length, Paced } from "../../lib/from_config/length.ts";
import type { Panel } from "./panel.ts";
import type { Pictures } from "./pictures.ts";
import type { Team } from "./ranks/team.ts";
import type { RankParts } from "./ranks/parts.ts";
import type { RunFolder } from "./run_folder.ts";
import type { RunLog } from "./run_log.ts";
import type { RunRank } from "./run_record.ts";
import type { Earlier } from "./same_run.ts";

/** What a run has before it has a device, and keeps when it goes on with another one. */
export interface Launch {
  /** The command line. */
  args: Arguments;
  /** Where it writes. */
  folder: RunFolder;
  /** The files there that its result does not need. */
  files: SideFiles;
  /** Tells whether it should stop. */
  guard: Guard;
  /** Its dashboard. */
  panel: Panel;
  /** Where it says what it does. */
  progress: Progress;
  /** Its data set. */
  pictures: Pictures;
  /** The ranks that train. */
  team: Team;
  /** What is known of the pictures of earlier starts. */
  earlier: Earlier;
}

/** What a checkpoint holds beside the trainer's state. */
export interface RunExtra {
  /** The kernels in use. */
  kernels: KernelRecord;
  /** The code that ran. */
  code: CodeVersion;
  /** Fingerprint of the data set: file names and sizes. */
  data?: string;
  /** Steps, from 0, whose batches held numbers that were not finite: they were left out. */
  skippedSteps: number[];
  /** The best evaluation so far. */
  best?: { metric: string; percent: number; step: number };
  /** Where its budget has moved its end. */
  pace?: Paced;
}

/** A run on a device, its weights in place; its folder is still as it was. */
export interface Prepared extends Launch, Length, RankParts {
  /** The final configuration; the end that it tells may move. */
  config: Config;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** Steps that are done. */
  step: number;
  /** Where these run. */
  places: readonly RunRank[];
  extra: RunExtra;
}

/** A run that trains. */
export interface Run extends Prepared {
  /** The step of the last checkpoint, −1 before the first. */
  saved: number;
  log: RunLog;
}
