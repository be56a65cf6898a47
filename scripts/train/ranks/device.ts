/**
 * Which adapter a rank takes.
 *
 * @module
 */
import {
  ensureAdapter,
  listAdapters,
  type ListedAdapter,
  openDevice,
} from "../../../lib/adapter.ts";
import type { Config } from "../../../lib/config.ts";
import { gpuOptionsOf } from "../../../lib/from_config.ts";
import type { Gpu } from "../../../lib/gpu.ts";
import type { Team } from "./team.ts";

/**
 * The number of the adapter that a rank takes of those of its machine: each the next GPU, and again from the first
 * where there are more ranks; null, the usual one, where there is one GPU or none. A CPU that plays one is shared.
 *
 * @param localRank The rank among those of its machine.
 */
export function adapterOfRank(
  adapters: readonly Pick<ListedAdapter, "isCpu">[],
  localRank: number,
): string | null {
  const gpus = adapters.flatMap(({ isCpu }, i) => isCpu ? [] : [i]);
  return gpus.length > 1 ? String(gpus[localRank % gpus.length]) : null;
}

/** Opens the adapter that `device.adapter` names, else that of the rank. */
export async function openRankDevice(
  { comm, size }: Pick<Team, "comm" | "size">,
  config: Config,
): Promise<Gpu> {
  const options = gpuOptionsOf(config);
  if (size === 1 || config.device.adapter !== null) return await openDevice(options);
  await ensureAdapter();
  const adapter = adapterOfRank(await listAdapters(), comm.localRank);
  return await openDevice({ ...options, adapter });
}
