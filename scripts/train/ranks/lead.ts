/**
 * How rank 0 brings the others to the first step. With one rank nothing is sent, and nothing can differ.
 *
 * @module
 */
import type { Config } from "../../../lib/config.ts";
import { modelOf } from "../../../lib/from_config.ts";
import { checkRanks } from "../../../lib/train/options.ts";
import { shown } from "../../../lib/text.ts";
import { commandArgs } from "../../common/called.ts";
import type { KernelRecord } from "../../common/kernels.ts";
import type { Arguments } from "../arguments.ts";
import type { Pictures } from "../pictures.ts";
import type { RunRank } from "../run_record.ts";
import { order } from "./duties.ts";
import type { RankParts } from "./parts.ts";
import { checkReady, checkSame, identityOf, readinessOf } from "./same.ts";
import { settingsSaid } from "./settings.ts";
import type { Team } from "./team.ts";

/** The first word of rank 0. */
export interface Invitation {
  /** The configuration as it was given, weights to start from included. */
  config: Config;
  /** Folder of the run, for messages. */
  folder: string;
}

/** The second: what is trained, with which kernels. */
export interface Beginning {
  /** The final configuration. */
  config: Config;
  /** What rank 0 computes with. */
  kernels: KernelRecord;
}

/**
 * Refuses what several ranks cannot train as soon as it is asked for: nothing is read, proven or compiled for it.
 *
 * @throws {HatchlingError} When there are several, and one of them needs the pictures of all.
 */
export function checkTogether({ size }: Team, config: Config): void {
  const { backbone, head } = modelOf(config);
  checkRanks(size, backbone, head && config.loss.centering);
}

/** Tells the others what is to be trained, so that they open their pictures while rank 0 does. */
export async function inviteRanks(
  team: Team,
  { config }: Arguments,
  folder: string,
): Promise<void> {
  await team.tell({ config, folder } satisfies Invitation);
}

/**
 * Waits for all to have their pictures.
 *
 * @throws {RankError} When one of them could not open them, or would train something else.
 */
export async function admitRanks(team: Team, pictures: Pictures): Promise<void> {
  if (team.size === 1) return;
  const own = await identityOf(await settingsSaid(commandArgs()), pictures);
  checkSame(team, await team.answers(own));
}

/** Tells the others the final configuration and the kernels: they prepare their step while rank 0 does. */
export async function beginRanks(team: Team, beginning: Beginning): Promise<void> {
  await team.tell(beginning);
}

/**
 * Waits for all to be ready, and gives them the state.
 *
 * @returns The ranks, where there are several.
 * @throws {RankError} When one could not, or has another model.
 */
export async function readyRanks(parts: RankParts, kernels: KernelRecord): Promise<RunRank[]> {
  const { team, model, progress } = parts;
  if (team.size === 1) return [];
  const all = await team.answers(await readinessOf(model, kernels));
  for (const warning of checkReady(team, all)) progress.say(`warning: ${warning}`);
  const places = all.map(({ kernels: { adapter } }, rank) => ({ host: team.hosts[rank], adapter }));
  progress.say(placesText(places));
  await order(parts, "state", null);
  return places;
}

/** "3 ranks: 2 on a (llvmpipe), 1 on b (llvmpipe)". */
export function placesText(places: readonly RunRank[]): string {
  const counts = new Map<string, number>();
  for (const { host, adapter } of places) {
    const place = `on ${shown(host)} (${shown(adapter ?? "unknown")})`;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  const words = [...counts].map(([place, count]) => `${count} ${place}`);
  return `${places.length} ranks: ${words.join(", ")}`;
}
