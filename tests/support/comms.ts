/** Ranks within one process, for tests of what ranks do together. */
import type { Comm, CommData } from "../../lib/comm.ts";

/** The n-th operation of all ranks. */
interface Meeting {
  what: string;
  /** What ranks have brought, by rank. */
  brought: CommData[];
  come: number;
  met: PromiseWithResolvers<void>;
}

/**
 * A comm for each of `size` ranks. An operation that not all ranks come to within `timeoutMs`, or at which they do
 * different things, rejects on those that came.
 */
export function commsOf(size: number, timeoutMs = 30_000): Comm[] {
  const meetings: Meeting[] = [];
  return Array.from({ length: size }, (_, rank): Comm => {
    let turn = 0, last: Promise<unknown> = Promise.resolve();
    const meet = (what: string, own: CommData = new Uint8Array(0)): Promise<CommData[]> => {
      const mine = last.then(async () => {
        const meeting = meetings[turn++] ??= {
          what,
          brought: [],
          come: 0,
          met: Promise.withResolvers(),
        };
        const { met } = meeting;
        meeting.brought[rank] = own.slice();
        if (meeting.what !== what) {
          met.reject(new Error(`rank ${rank} does ${what} where another does ${meeting.what}`));
        }
        if (++meeting.come === size) met.resolve();
        const timer = setTimeout(() => {
          met.reject(new Error(`${what}: only ${meeting.come} of ${size} ranks came`));
        }, timeoutMs);
        await met.promise.finally(() => clearTimeout(timer));
        return meeting.brought;
      });
      last = mine.catch(() => {});
      return mine;
    };
    return {
      rank,
      size,
      localRank: rank,
      implementation: "one process",
      async allreduceSum(values) {
        const all = await meet(`allreduceSum of ${values.length}`, values) as Float32Array[];
        for (let i = 0; i < values.length; i++) {
          values[i] = all.reduce((sum, own) => Math.fround(sum + own[i]), 0);
        }
      },
      async broadcast(data, root = 0) {
        data.set((await meet(`broadcast of ${data.length} from ${root}`, data))[root] as never);
      },
      async alltoall(bytes) {
        const all = await meet(`alltoall of ${bytes.length}`, bytes) as Uint8Array[];
        const part = bytes.length / size;
        return concat(all.map((one) => one.slice(rank * part, (rank + 1) * part)));
      },
      async allgather(bytes) {
        return concat(await meet(`allgather of ${bytes.length}`, bytes) as Uint8Array[]);
      },
      async gather(bytes, root = 0) {
        const all = await meet(`gather to ${root}`, bytes) as Uint8Array[];
        return rank === root ? all.map((one) => one.slice()) : [];
      },
      async barrier() {
        await meet("barrier");
      },
      abort: (status) => Promise.reject(new Error(`rank ${rank} aborted with ${status}`)),
      close: () => Promise.resolve(),
    };
  });
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
