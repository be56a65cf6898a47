/**
 * Cases schedule_*: rates by step or epoch.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { cosineValues, teacherTempValues } from "../../lib/optim/schedules.ts";
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
  throw new HatchlingError(`Expected schedule cosine or teacher_temp but found ${schedule}`);
}
