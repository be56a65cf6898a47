/**
 * What all ranks do when rank 0 says so: the same functions on each of them, with what is its own.
 *
 * @module
 */
import { HatchlingError } from "../../../lib/errors.ts";
import type { StepValues } from "../../../lib/train.ts";
import { encodeRun, type EncodingRequest } from "../encode.ts";
import { observe } from "../../../lib/train/observe.ts";
import { reported, tryCanaries } from "./canaries.ts";
import { lookInto } from "./diagnose.ts";
import type { RankParts } from "./parts.ts";
import { hashesOf, shareState } from "./state.ts";
import { attempt } from "./team.ts";

/** The duties by name. What they give back and are given goes through JSON. */
const DUTIES = {
  /** Takes the state of rank 0. */
  state: ({ team, trainer }: RankParts, _: null) => shareState(team.comm, trainer),

  /** Does a step, unless one of them is asked to stop: then all are. */
  async step(
    { stepper, guard, progress }: RankParts,
    { values, watched }: { values: StepValues; watched: boolean },
  ) {
    const done = await stepper.run(values, { watched, guard, progress });
    guard.follow(stepper.stopAsked);
    return done;
  },

  /** Looks at the results of the last step, and tells which pictures turned out to be damaged. */
  async look(
    { gpu, trainer, stepper, team, pictures }: RankParts,
    { watched, spread }: { watched: boolean; spread: boolean },
  ) {
    if (watched && stepper.canaries.isDue) stepper.canaries.run();
    // The spread is that of rank 0's pictures: enough to tell a collapse.
    const seen = await observe(gpu, trainer, stepper, spread && team.rank === 0);
    const fault = reported(gpu, stepper.canaries, seen.fault);
    return { ...seen, fault, damaged: pictures.takeDamaged() };
  },

  /** Tries the known answers. */
  canaries: (parts: RankParts, _: null) => tryCanaries(parts),

  /** Hashes the weights. */
  hashes: ({ trainer }: RankParts, _: null) => hashesOf(trainer),

  /** Encodes a share of the pictures for an evaluation; when training has ended, in the room that it leaves. */
  encode(parts: RankParts, request: EncodingRequest) {
    if (!request.midway) { for (const part of [parts.stepper, parts.feed]) part.destroy(); }
    return encodeRun(parts, request, parts.team.comm);
  },

  /** Looks for the first tensor of a step, from 0, that holds a number that is not finite. */
  diagnose: (parts: RankParts, { step }: { step: number }) => lookInto(parts, step),
};

type Duties = typeof DUTIES;
/** The name of a duty. */
export type Duty = keyof Duties;
type Argument<K extends Duty> = Parameters<Duties[K]>[1];
type Result<K extends Duty> = Awaited<ReturnType<Duties[K]>>;

interface Order {
  duty: Duty;
  argument: unknown;
  /** Whether rank 0 waits for what comes of it. */
  asked: boolean;
}

/** Of rank 0: all do a duty; its own result. */
export async function order<K extends Duty>(
  parts: RankParts,
  duty: K,
  argument: Argument<K>,
): Promise<Result<K>> {
  await parts.team.tell({ duty, argument, asked: false } satisfies Order);
  return await perform(parts, duty, argument) as Result<K>;
}

/**
 * Of rank 0: all do a duty; the results by rank.
 *
 * @throws {RankError} When another rank could not; what its own part throws.
 */
export async function ask<K extends Duty>(
  parts: RankParts,
  duty: K,
  argument: Argument<K>,
): Promise<Result<K>[]> {
  const { team } = parts;
  await team.tell({ duty, argument, asked: true } satisfies Order);
  const [own] = await Promise.allSettled([perform(parts, duty, argument) as Promise<Result<K>>]);
  if (own.status === "fulfilled") return await team.answers(own.value);
  // The run may go on after it: the others are heard, so that all stay in step.
  if (own.reason instanceof HatchlingError) await team.answers(null);
  throw own.reason;
}

/** Of the others: does what rank 0 says, until it ends. */
export async function serve(parts: RankParts): Promise<never> {
  const { team, guard } = parts;
  for (;;) {
    guard.rest(); // rank 0 may do something else for long
    const { duty, argument, asked } = await team.hear<Order>();
    if (asked) await team.answer(await attempt(() => perform(parts, duty, argument)));
    else await perform(parts, duty, argument);
  }
}

async function perform(parts: RankParts, duty: Duty, argument: unknown): Promise<unknown> {
  return await (DUTIES[duty] as (parts: RankParts, argument: unknown) => unknown)(parts, argument);
}
