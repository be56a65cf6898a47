/**
 * A run that keeps its budget.
 *
 * @module
 */
import { stringifyConfig } from "../../lib/config.ts";
import { parseDuration } from "../../lib/preset.ts";
import { evaluationShare } from "../../lib/preset/cost.ts";
import { BudgetWatch } from "../../lib/preset/pace.ts";
import { count, many } from "../../lib/words.ts";
import { moveEnd } from "../../lib/from_config/length.ts";
import type { Hook } from "./loop.ts";
import type { Launch, Run } from "./run.ts";
import { saveOrWarn } from "./save.ts";

/** Whether a budget decides when a run ends: neither epochs nor steps are set, and it has just begun. */
export function followsBudget({ args, folder }: Pick<Launch, "args" | "folder">): boolean {
  const ends = ["training.num_epochs", "training.max_steps"];
  return args.budget !== undefined && !folder.checkpoint &&
    !ends.some((key) => args.given.has(key));
}

/** Moves the end of a run so that it keeps its budget, with a word; a run that goes on later keeps the end. */
export function budgeting(run: Run): Hook[] {
  if (!followsBudget(run)) return [];
  const budget = run.args.budget!, { config, pictures: { dataset }, stepsPerEpoch } = run;
  const watch = new BudgetWatch({
    seconds: parseDuration(budget),
    spent: performance.now() / 1000,
    after: stepsPerEpoch * evaluationShare(config, dataset.length),
  });
  const hook: Hook = {
    async run(step, { seconds }) {
      const found = watch.look(step, seconds, run.total);
      if (!found) return;
      const before = run.total;
      moveEnd(run, { step, end: found.end });
      const each = `${Number(found.secondsPerStep.toPrecision(3))} s`;
      run.progress.say(
        `budget: a step takes ${each} now: the run ends after ${many(run.total, "step")} and not ${
          count(before)
        }, ` +
          `to take ${budget}`,
      );
      await run.files.put("config.yaml", stringifyConfig(run.config));
      await saveOrWarn(run);
    },
  };
  return [hook];
}
