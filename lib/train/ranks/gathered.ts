/**
 * Rows of all ranks within a step, for losses that compare the pictures of a batch.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import type { Gpu, Tensor } from "../../gpu.ts";
import { gatherRows } from "../../ops.ts";
import type { Ranks } from "../ranks.ts";

/** Rows of a rank: [V·b, D], view-major. */
export interface RankRows {
  /** The rows. */
  x: Tensor;
  /** V. */
  views: number;
}

/** Rows of all ranks, as one rank would have them. */
export interface GatheredRows {
  /** [V·B, D], view-major, the ranks' pictures one after the other within a view. */
  all: Tensor;
  /** The rows [V·b, D] of this rank, out of as many as there are in all. */
  own(all: Tensor): Tensor;
}

/**
 * Starts to send the rows that were dispatched last. Recordable, and only that: the program waits for the host twice,
 * here until the rows are there, and at `rows()` until those of the others have come.
 *
 * All ranks then have the same values, as sums of one number and zeros.
 *
 * @returns What is to be called where the rows are needed, as late as may be.
 */
export function gatherOverRanks(
  gpu: Gpu,
  ranks: Ranks,
  given: readonly RankRows[],
): () => GatheredRows[] {
  const recorder = gpu.recorder;
  if (!recorder) {
    throw new HatchlingError(
      "gatherOverRanks: expected a recording but found none: use recordStep(), whose steps wait for other ranks",
    );
  }
  const { rank, size, comm } = ranks;
  const places = given.map(({ x, views }) => {
    const [rows, dim] = x.shape, own = rows / views;
    const all = gpu.persistent([rows * size, dim], "rows of all ranks");
    const row = (i: number) => Math.floor(i / own) * own * size + rank * own + i % own;
    const index = gpu.tensor(Uint32Array.from({ length: rows }, (_, i) => row(i)), [rows]);
    return { all, index, own, dim, rows };
  });
  let sent: Promise<Float32Array> | undefined;
  recorder.pause(async () => {
    const { values } = await gpu.readSoon(given.map(({ x }) => x));
    sent = ranks.later(values, async (values) => {
      const packed = new Float32Array(places.reduce((sum, { all }) => sum + all.size, 0));
      let start = 0;
      values.forEach((rows, p) => {
        const { all, dim, own } = places[p];
        for (let from = 0; from < rows.length; from += own * dim) {
          packed.set(rows.subarray(from, from + own * dim), start + from * size + rank * own * dim);
        }
        start += all.size;
      });
      await comm.allreduceSum(packed);
      return packed;
    });
  }, given.map(({ x }) => x));
  return () => {
    gpu.recorder!.pause(async () => {
      const start = performance.now();
      const packed = await sent!;
      const comm_wait_ms = performance.now() - start;
      ranks.waited += comm_wait_ms;
      ranks.spent({ comm_wait_ms, comm_bytes: packed.byteLength });
      let at = 0;
      for (const { all } of places) all.write(packed.subarray(at, at += all.size));
    }, []);
    return places.map(({ all, index }) => ({ all, own: (t) => gatherRows(gpu, t, index) }));
  };
}
