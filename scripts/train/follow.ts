/**
 * What a rank does that does not lead: it opens the same pictures, records the same step, and then does what rank 0
 * says. It writes nothing, and says nothing but errors.
 *
 * @module
 */
import { ensureAdapter } from "../../lib/adapter.ts";
import { feedOptionsOf, loaderOf, modelOf, trainerOptionsOf } from "../../lib/from_config.ts";
import { checkFits } from "../../lib/plan/fit.ts";
import { Trainer } from "../../lib/train.ts";
import { Feed } from "../../lib/train/feed.ts";
import { chooseKernels, type KernelRecord } from "../common/kernels.ts";
import { Progress } from "../common/progress.ts";
import { proveRun } from "../common/proven.ts";
import type { Screen } from "../common/terminal.ts";
import { Guard } from "./guard.ts";
import { Pictures } from "./pictures.ts";
import { openRankDevice } from "./ranks/device.ts";
import { serve } from "./ranks/duties.ts";
import { commandArgs } from "../common/called.ts";
import type { RankParts } from "./ranks/parts.ts";
import type { Beginning, Invitation } from "./ranks/lead.ts";
import { identityOf, readinessOf } from "./ranks/same.ts";
import { ownConfig, settingsSaid, shareOf } from "./ranks/settings.ts";
import { attempt, type Team } from "./ranks/team.ts";
import { Stepper } from "./stepper.ts";

/** Who reads what a rank says that does not lead. */
const NOBODY: Screen = { isTerminal: () => false, writeSync: ({ length }) => length };

/** What a rank holds open. */
type Open = Pick<AsyncDisposableStack, "use">;

/** Follows rank 0 to its end, which is thrown. */
export async function follow(team: Team): Promise<never> {
  const progress = new Progress(NOBODY, NOBODY);
  const invitation = await team.hear<Invitation>();
  await using open = new AsyncDisposableStack();
  const watchdog = invitation.config.device.watchdog_seconds;
  const guard = open.use(await Guard.start(watchdog, invitation.folder, team));

  // Data, where this machine has it.
  const { said, pictures } = await answered(team, async () => {
    const said = await settingsSaid(commandArgs());
    const config = ownConfig(invitation.config, said);
    const pictures = open.use(await Pictures.open(config, progress));
    return { said, pictures, answer: await identityOf(said, pictures) };
  });

  // Model, trainer, step: as rank 0 has them, for a part of every batch.
  const { config, kernels } = await team.hear<Beginning>();
  const launch = { team, guard, progress, pictures };
  const { parts } = await answered(
    team,
    () => prepare({ ...launch, config: ownConfig(config, said), kernels }, open),
  );
  return await serve(parts);
}

/** What a rank has before it has a device. */
interface Launched extends Pick<RankParts, "team" | "guard" | "progress" | "pictures" | "config"> {
  kernels: KernelRecord;
}

async function prepare({ kernels: before, ...launch }: Launched, open: Open) {
  const { config, team, pictures: { dataset }, progress } = launch;
  await ensureAdapter({ log: () => {} });
  const gpu = open.use(await openRankDevice(team, config));
  const ranks = team.ranksFor(config);
  const loader = open.use(loaderOf(dataset, config, ranks));
  await checkFits(gpu, shareOf(config, team.size), dataset);
  await proveRun(gpu, shareOf(config, team.size), progress);
  const kernels = await chooseKernels(gpu, { before, config, progress });
  const model = modelOf(config);
  const options = { ...trainerOptionsOf(config, gpu), ranks };
  const trainer = open.use(new Trainer(gpu, model, options));
  const feed = open.use(new Feed(gpu, loader, feedOptionsOf(config)));
  const stepper = open.use(await Stepper.record(gpu, trainer, feed, ranks));
  const parts: RankParts = { ...launch, gpu, loader, model, trainer, feed, stepper, ranks };
  return { parts, answer: await readinessOf(model, kernels) };
}

/** Does what may be refused, and answers. Who could not waits for rank 0, which says why and ends all. */
async function answered<T extends { answer: unknown }>(
  team: Team,
  work: () => Promise<T>,
): Promise<T> {
  const { value, error } = await attempt(work);
  await team.answer(value ? { value: value.answer } : { error });
  if (value) return value;
  await team.hear();
  throw new Error(`Expected the end after a refusal: ${error}`);
}
