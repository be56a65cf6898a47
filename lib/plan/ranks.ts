/**
 * How long a step of several ranks takes: a model, from a rank's own work and what is known of the network.
 *
 * @module
 */
import { algorithmFor } from "../comm/algorithm.ts";
import { PIECE_BYTES } from "../comm/mpi.ts";
import type { Communication } from "../train.ts";
import type { Exchange } from "./exchange.ts";

/** What lies between ranks. */
export interface Network {
  /** Bytes in a second that a rank sends while it receives as many. */
  bytesPerSecond: number;
  /** Seconds until a message without bytes is there. */
  latency: number;
}

/** What hosts do with gradients. */
export interface Host {
  /** Bytes of f32 in a second that it reads from the GPU, adds up and writes to it, by what they are sent as. */
  bytesPerSecond: Readonly<Record<Communication, number>>;
  /** Seconds of a read until the values are there, whatever their number. */
  read: number;
}

/**
 * As measured on two cores of an AMD EPYC (Zen 4). Sums of 88 MB by 2 ranks of one machine take 22 to 37 ms, where memory
 * is the network (bench/ranks/sums.ts). Rounding to halves and back is a loop of JavaScript: 4,000,000 numbers in 73 to
 * 89 ms. A read takes about 11 ms in Deno 2.9.6, which asks the device in turns of 10 (docs/performance.md).
 */
export const HOST: Host = { bytesPerSecond: { f32: 3e9, f16: 2e8 }, read: 0.011 };

/** Bytes from which on OpenMPI asks the receiver before it sends the rest: btl_tcp_eager_limit. */
const EAGER_BYTES = 64 * 1024;

/** What a step of several ranks depends on. */
export interface RankStepInput {
  /** Their number N. */
  ranks: number;
  /** Seconds that a rank's own pictures take it alone. */
  seconds: number;
  /** What they exchange; nothing where there is one rank. */
  exchange?: Exchange;
  /** Between whom. */
  network: Network;
  /** What gradients are sent as; f32 by default. */
  communication?: Communication;
  /** What their hosts are capable of; by default what was measured. */
  host?: Host;
}

/** Where the time of a step goes, in seconds. */
export interface RankStep {
  /** All of it: `compute`, `gradients` less `hidden`, `rest`. */
  seconds: number;
  /** A rank's own work. */
  compute: number;
  /** Reading, adding up and writing gradients. */
  gradients: number;
  /** The part of it beside which the GPU works. */
  hidden: number;
  /** Features of others' pictures, the sums of losses, and the wait for the end of the pass. */
  rest: number;
  /** One rank's time for its own pictures by this: 1 when nothing is lost. */
  efficiency: number;
}

/**
 * Seconds of a sum over ranks, of so many bytes of f32 on each.
 *
 * With a latency α and β seconds a byte, a message of m bytes takes α + m β, and 3 α + m β where it is larger than
 * 64 KiB, as OpenMPI then asks first. N ranks send, by what OpenMPI is told to do (lib/comm/algorithm.ts), for every
 * piece of n bytes, one piece after the other:
 *
 * - halving and doubling, N a power of two: messages of n / 2, n / 4, …, n / N, and back: 2 (N − 1) / N n in all (Thakur,
 *   Rabenseifner and Gropp, Int. J. High Perform. Comput. Appl. 19, 2005). Of another N the largest power of two below
 *   does that; the others' numbers go to them and come back in messages of n / 2, n / 2 and n;
 * - ring: 2 (N − 1) messages of n / N. No way of adding up sends less (Patarasuk and Yuan, J. Parallel Distrib. Comput.
 *   69, 2009).
 *
 * Halves go in two rounds, each rank's part to every other one and its sum to all: 2 (N − 1) / N n / 2, in no pieces.
 * Adding itself, and what a host's own network software takes, are in {@linkcode Host}.
 *
 * @example
 * ```ts
 * import { sumSeconds } from "./ranks.ts";
 *
 * const tenGigabit = { bytesPerSecond: 1.25e9, latency: 50e-6 };
 * console.assert(Math.abs(sumSeconds(8, 4 * 2 ** 20, tenGigabit) - 0.00677) < 1e-5);
 * ```
 */
export function sumSeconds(
  ranks: number,
  bytes: number,
  network: Network,
  communication: Communication = "f32",
): number {
  if (ranks === 1 || bytes === 0) return 0;
  if (communication === "f16") {
    const round = (ranks - 1) / ranks * bytes / 2;
    return 2 * messageSeconds(bytes / 2 / ranks, network) +
      2 * (round - bytes / 2 / ranks) / network.bytesPerSecond;
  }
  const whole = Math.floor(bytes / PIECE_BYTES), left = bytes % PIECE_BYTES;
  return whole * pieceSeconds(ranks, PIECE_BYTES, network) + pieceSeconds(ranks, left, network);
}

function messageSeconds(bytes: number, { bytesPerSecond, latency }: Network): number {
  return (bytes > EAGER_BYTES ? 3 : 1) * latency + bytes / bytesPerSecond;
}

function pieceSeconds(ranks: number, bytes: number, network: Network): number {
  if (bytes === 0) return 0;
  const message = (bytes: number) => messageSeconds(bytes, network);
  if (algorithmFor(ranks) === "ring") return 2 * (ranks - 1) * message(bytes / ranks);
  const power = 2 ** Math.floor(Math.log2(ranks));
  let seconds = power === ranks ? 0 : 2 * message(bytes / 2) + message(bytes);
  for (let parts = 2; parts <= power; parts *= 2) seconds += 2 * message(bytes / parts);
  return seconds;
}

/**
 * A step of N ranks.
 *
 * Each bucket of gradients but the last is read, added up and written while the GPU works on to the next one, so what
 * takes longer is waited for. The last one, with the sums of losses before it, comes when the pass has ended and is waited for;
 * so are features of all ranks' pictures, in every micro-batch. Other ranks are taken to be equally fast, and pictures
 * to come in time.
 *
 * @example
 * ```ts
 * import { rankStep } from "./ranks.ts";
 *
 * // 100 MB in two buckets; the first is there when half of the work is left.
 * const buckets = [{ bytes: 50e6, work: 0.5 }, { bytes: 50e6, work: 0 }];
 * const step = rankStep({
 *   ranks: 8,
 *   seconds: 0.2,
 *   exchange: { buckets, rows: [], small: 1e4, microBatches: 1, flops: 1, ownFlops: 1 },
 *   network: { bytesPerSecond: 1.25e9, latency: 50e-6 },
 * });
 * console.assert(step.hidden > 0.09 && step.efficiency < 0.7);
 * ```
 */
export function rankStep(
  { ranks, seconds: own, exchange, network, communication = "f32", host = HOST }: RankStepInput,
): RankStep {
  if (ranks === 1 || !exchange) {
    return { seconds: own, compute: own, gradients: 0, hidden: 0, rest: 0, efficiency: 1 };
  }
  const compute = own * exchange.flops / exchange.ownFlops;
  const sum = (bytes: number, as: Communication = "f32") =>
    sumSeconds(ranks, bytes, network, as) + bytes / host.bytesPerSecond[as];
  let [gradients, hidden] = [0, 0];
  for (const [i, { bytes, work }] of exchange.buckets.entries()) {
    const isLast = i === exchange.buckets.length - 1;
    const takes = sum(bytes, communication) + host.read;
    gradients += takes;
    if (!isLast) hidden += Math.min(takes, work * compute);
  }
  const rows = exchange.rows.reduce((all, bytes) => all + host.read + sum(bytes), 0);
  const rest = exchange.microBatches * rows + sum(exchange.small);
  const seconds = compute + gradients - hidden + rest;
  return { seconds, compute, gradients, hidden, rest, efficiency: own / seconds };
}
