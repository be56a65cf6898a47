/**
 * A trainer's state, from rank 0 to all, and whether it is the same on all.
 *
 * @module
 */
import type { Comm } from "../../../lib/comm.ts";
import type { Trainer } from "../../../lib/train.ts";
import { PATIENT } from "./message.ts";
import { RankError, type Team } from "./team.ts";

/** Numbers by name, in an order that is the same on all ranks. */
type Named = ReadonlyMap<string, Float32Array>;

/** Hashes of the weights of a rank, SHA-256 in hexadecimal digits. */
export interface WeightHashes {
  student: string;
  teacher?: string;
}

/**
 * Gives the state of rank 0's trainer to all, as a checkpoint would: weights, moments, buffers, counts; the flag of
 * numbers that are not finite is clear then. Arenas are laid out as an adapter likes it, so tensors go by name.
 */
export async function shareState(comm: Comm, trainer: Trainer): Promise<void> {
  if (comm.size === 1) return;
  const { student, teacher, optimizer, buffers } = trainer;
  for (const network of [student, teacher]) {
    if (network) network.load(await shared(comm, await network.save()));
  }
  const moments = new Map<string, Named>();
  for (const [name, values] of await optimizer.save()) {
    moments.set(name, await shared(comm, values));
  }
  optimizer.load(moments);
  for (const tensor of buffers.values()) {
    const values = await tensor.read();
    await comm.broadcast(values, 0, PATIENT);
    tensor.write(values);
  }
  const counts = Float64Array.from(optimizer.counts);
  await comm.broadcast(counts, 0, PATIENT);
  counts.forEach((count, group) => optimizer.counts[group] = count);
  trainer.clearFlag();
}

/** Replaces numbers by those of rank 0, in one broadcast. */
async function shared(comm: Comm, values: Named): Promise<Named> {
  const all = joined(values);
  await comm.broadcast(all, 0, PATIENT);
  let at = 0;
  return new Map([...values].map(([name, { length }]) => {
    return [name, all.subarray(at, at += length)];
  }));
}

function joined(values: Named): Float32Array<ArrayBuffer> {
  let length = 0;
  for (const part of values.values()) length += part.length;
  const all = new Float32Array(length);
  let at = 0;
  for (const part of values.values()) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Hashes all bits of both networks. */
export async function hashesOf({ student, teacher }: Trainer): Promise<WeightHashes> {
  const hash = async (values: Named) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", joined(values))).toHex();
  return {
    student: await hash(await student.save()),
    teacher: teacher && await hash(await teacher.save()),
  };
}

/**
 * Refuses to go on where ranks no longer have the same weights.
 *
 * @param all By rank.
 * @throws {RankError} Naming the ranks that are in the minority.
 */
export function checkHashes(team: Team, step: number, all: readonly WeightHashes[]): void {
  const found = all.map((hashes) => JSON.stringify(hashes));
  const votes = (text: string) => found.filter((other) => other === text).length;
  // Most are right; of two that differ, rank 0's is what would be saved.
  const right = found.reduce((best, text) => votes(text) > votes(best) ? text : best);
  const wrong = found.flatMap((text, rank) => text === right ? [] : [rank]);
  if (!wrong.length) return;
  const what = (["student", "teacher"] as const).filter((network) =>
    wrong.some((rank) => all[rank][network] !== all[found.indexOf(right)][network])
  );
  throw new RankError(
    `Expected the same weights on all ranks after step ${step} but found others on ${
      wrong.map((rank) => team.nameOf(rank)).join(", ")
    } (${
      what.join(" and ")
    }): its adapter or driver computes otherwise, or wrong. Nothing was saved since. Go on ` +
      "from the last checkpoint with --resume on equal adapters and drivers; run deno task prove there first",
  );
}
