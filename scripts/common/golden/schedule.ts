/**
 * Cases schedule_*: rates by step or epoch.
 *
 * @module
 */
import { HatchlingError } from "../../../lib/errors.ts";
import {
  constantSchedule,
  cosineValues,
  linearSchedule,
  teacherTempValues,
} from "../../../lib/optim/schedules.ts";
import type { Case } from "./case.ts";
import type { Results } from "./compare.ts";

interface Config {
  schedule: string;
  args: Record<string, number>;
}

/** All values of the case's schedule. */
export function runSchedule({ doc }: Case): Results {
  const { schedule, args } = doc.config as unknown as Config;
  if (schedule === "cosine") {
    const values = cosineValues({
      base: args.base,
      final: args.final,
      epochs: args.epochs,
      itersPerEpoch: args.iters_per_epoch,
      warmupEpochs: args.warmup_epochs,
      warmupStart: args.warmup_start,
    });
    return { fields: { values: [...values] } };
  }
  if (schedule === "teacher_temp") {
    const { start, final, epochs } = args;
    const values = teacherTempValues({ start, final, warmupEpochs: args.warmup_epochs, epochs });
    return { fields: { values: [...values] } };
  }
  if (schedule === "linear" || schedule === "constant") {
    const { base, final, epochs, iters_per_epoch: itersPerEpoch } = args;
    const options = { base, final, epochs, itersPerEpoch, warmupEpochs: args.warmup_epochs };
    const at = { linear: linearSchedule, constant: constantSchedule }[schedule](options);
    return {
      fields: { values: Array.from({ length: epochs * itersPerEpoch }, (_, step) => at(step)) },
    };
  }
  throw new HatchlingError(
    `Expected schedule cosine, linear, constant or teacher_temp but found ${schedule}`,
  );
}
