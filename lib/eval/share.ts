/**
 * Batches shared among ranks: who encodes which, and how features come to rank 0.
 *
 * @module
 */
import { allOrNone, numbersOfAll } from "../comm/all_or_none.ts";
import type { Comm } from "../comm/comm.ts";
import type { Dataset } from "../data/dataset.ts";
import { HatchlingError } from "../errors.ts";
import { soundPicture } from "../data/some.ts";
import type { EncodedBatch } from "./batch.ts";

/** Ranks that encode the same pictures. */
export interface SharedWork {
  /** The ranks; undefined stands for one. */
  comm?: Comm;
  /** The pictures. */
  dataset: Dataset;
  /** Those that are asked for. */
  indices: ArrayLike<number>;
  /** Pictures of a batch, the last one's aside, on all ranks. */
  batchSize: number;
}

/**
 * The size of batches that all ranks can take: the smallest of theirs.
 *
 * @param own What this rank takes at once, and what it is asked for, which has to be the same everywhere.
 * @throws {HatchlingError} On all ranks when they are asked for different things.
 */
export async function agreedBatchSize(
  comm: Comm | undefined,
  own: { batchSize: number; pictures: number; encoders: number; views: boolean },
): Promise<number> {
  if (!comm || comm.size === 1) return own.batchSize;
  const { batchSize, pictures, encoders, views } = own;
  const all = await numbersOfAll(comm, [batchSize, pictures, encoders, Number(views)]);
  const asked = all.map(([, ...what]) => what.join());
  const other = asked.findIndex((what) => what !== asked[0]);
  if (other < 0) return Math.min(...all.map(([size]) => size));
  const words = ([, pictures, encoders, views]: Float64Array) =>
    `${pictures} pictures by ${encoders} encoders${views ? ", with views" : ""}`;
  throw new HatchlingError(
    `Encoding: expected the same on all ranks but found ${words(all[0])} on rank 0 and ${
      words(all[other])
    } on ` +
      `rank ${other}: give all of them the same configuration, pictures and test set`,
  );
}

/**
 * Encodes pictures in batches, each rank a stretch of these, and brings them to rank 0. Borders of batches are those
 * of one rank, so values are, too, on adapters of one kind with the same kernels.
 *
 * @param encode Encodes the pictures of a batch.
 * @param onProgress Called on rank 0 with the number of pictures done by all ranks.
 * @returns On rank 0 all batches in order, elsewhere none.
 * @throws On all ranks when one fails, as {@linkcode allOrNone} says: within a batch's time.
 */
export async function encodeShared(
  { comm, dataset, indices, batchSize }: SharedWork,
  encode: (asked: number[]) => Promise<EncodedBatch>,
  onProgress: (done: number) => void,
): Promise<EncodedBatch[]> {
  const { rank, size } = comm ?? { rank: 0, size: 1 };
  const count = Math.ceil(indices.length / batchSize);
  const border = (r: number) => Math.ceil(r * count / size);
  const askedOf = (batch: number) => {
    const from = batch * batchSize, length = Math.min(batchSize, indices.length - from);
    return Array.from({ length }, (_, i) => indices[from + i]);
  };
  const all: EncodedBatch[] = [];
  let done = 0, arrived: { from: number; batch: number; encoded: EncodedBatch }[] = [];
  const take = async () => {
    for (const { from, batch, encoded } of arrived) {
      const asked = askedOf(batch);
      if (from !== rank) await checkLeftOut(dataset, asked, encoded);
      all[batch] = encoded;
      done += asked.length;
    }
    if (arrived.length) onProgress(done);
  };
  // Rank 0 has the longest stretch.
  for (let round = 0; round < border(1); round++) {
    const batch = border(rank) + round;
    const encoded = await allOrNone(comm, async () => {
      await take();
      return batch < border(rank + 1) ? await encode(askedOf(batch)) : undefined;
    });
    const parts = await gatherBatches(comm, encoded);
    arrived = parts.flatMap((encoded, from) =>
      encoded ? [{ from, batch: border(from) + round, encoded }] : []
    );
  }
  await allOrNone(comm, take);
  return all;
}

/** What another rank left out as damaged is damaged here too, and so in the list of what the data set lacks. */
async function checkLeftOut(
  dataset: Dataset,
  asked: readonly number[],
  { indices }: EncodedBatch,
): Promise<void> {
  const kept = new Set(indices);
  for (const i of asked) {
    if (kept.has(i) || !await soundPicture(dataset, i)) continue;
    throw new HatchlingError(
      `Encoding: expected ${
        dataset.id(i)
      } to be damaged, as another rank found it, but it is sound on rank 0: ` +
        "give all ranks the same files",
    );
  }
}

/** One batch at most of every rank, by rank, on rank 0. */
async function gatherBatches(
  comm: Comm | undefined,
  own: EncodedBatch | undefined,
): Promise<(EncodedBatch | undefined)[]> {
  if (!comm || comm.size === 1) return [own];
  const packed = own ? packed32(own) : new Uint32Array(0);
  const parts = await comm.gather(new Uint8Array(packed.buffer));
  return parts.map((bytes, r) =>
    r === comm.rank
      ? own
      : bytes.length
      ? unpacked(new Uint32Array(bytes.slice().buffer))
      : undefined
  );
}

/** Words of 32 bits: n, number of encoders, whether there are views; the pictures; D and the rows of each encoder. */
function packed32({ indices, rows }: EncodedBatch): Uint32Array<ArrayBuffer> {
  const arrays = rows.flatMap(({ whole, views }) => views ? [whole, views] : [whole]);
  const head = [indices.length, rows.length, Number(!!rows[0]?.views)];
  const dims = rows.map(({ whole }) => whole.length / indices.length);
  const start = head.length + indices.length + dims.length;
  const words = new Uint32Array(arrays.reduce((sum, { length }) => sum + length, start));
  words.set([...head, ...indices, ...dims]);
  const floats = new Float32Array(words.buffer);
  let at = start;
  for (const array of arrays) {
    floats.set(array, at);
    at += array.length;
  }
  return words;
}

function unpacked(words: Uint32Array<ArrayBuffer>): EncodedBatch {
  const [n, encoders, views] = words, floats = new Float32Array(words.buffer);
  const indices = [...words.subarray(3, 3 + n)];
  let at = 3 + n;
  const dims = words.subarray(at, at += encoders);
  const next = (dim: number) => floats.slice(at, at += n * dim);
  const rows = Array.from(dims, (dim) => {
    return { whole: next(dim), views: views ? next(dim) : undefined };
  });
  return { indices, rows };
}
