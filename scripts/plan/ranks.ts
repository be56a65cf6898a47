/**
 * A plan for several ranks: `--ranks 8,64 --bandwidth 10gbit,100gbit --latency 50us`.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { type Exchange, exchangeOf } from "../../lib/plan/exchange.ts";
import type { PictureSizes } from "../../lib/plan/noise.ts";
import { type RankStep, rankStep } from "../../lib/plan/ranks.ts";
import { withBatch } from "../../lib/plan/remedies.ts";
import { parseRate, parseShortTime, rateText, shortTimeText } from "../../lib/plan/units.ts";
import { bytesText } from "../../lib/plan/words.ts";
import { many } from "../../lib/words.ts";

/** What is asked of ranks on the command line. */
export interface RankOptions {
  ranks?: number[];
  bandwidth?: string;
  latency?: string;
  batchPerRank?: number;
  stepTime?: string;
}

/** What is asked of ranks. */
export interface RankQuestion {
  /** Numbers of ranks. */
  ranks: readonly number[];
  /** Bytes in a second. */
  rates: readonly number[];
  /** Seconds. */
  latency: number;
  /** Pictures of a rank's micro-batch, where the batch is to grow with the ranks. */
  batchPerRank?: number;
  /** Seconds of a rank's own work, where they are not to be measured. */
  seconds?: number;
}

/** Numbers of ranks, as commander reads them. */
export function rankList(text: string): number[] {
  const list = text.split(",").map(Number);
  if (list.every((n) => Number.isInteger(n) && n >= 1 && n <= MOST_RANKS)) return list;
  throw new InvalidArgumentError(`Expected whole numbers from 1 to ${MOST_RANKS}: 8, or 8,64,512.`);
}

const MOST_RANKS = 65536;

/**
 * Reads what is asked.
 *
 * @returns undefined when nothing is.
 * @throws {HatchlingError} when a part of it is missing, or no rate or time.
 */
export function rankQuestion(options: RankOptions): RankQuestion | undefined {
  const { ranks, bandwidth, latency, batchPerRank, stepTime } = options;
  const given = Object.entries({
    "--bandwidth": bandwidth,
    "--latency": latency,
    "--batch-per-rank": batchPerRank,
    "--step-time": stepTime,
  }).filter(([, value]) => value !== undefined).map(([name]) => name);
  if (!ranks) {
    if (!given.length) return;
    throw new HatchlingError(`Expected --ranks with ${given.join(", ")} but found none: --ranks 8`);
  }
  if (bandwidth === undefined || latency === undefined) {
    throw new HatchlingError(
      `Expected --bandwidth and --latency with --ranks but found ${
        given.join(", ") || "neither"
      }: ` +
        "--bandwidth 10gbit --latency 50us, of the network between the ranks",
    );
  }
  if (stepTime !== undefined && batchPerRank === undefined && ranks.length > 1) {
    throw new HatchlingError(
      `Expected one number of ranks with --step-time but found ${ranks.length}: their shares of data.batch_size ` +
        "take different times; set --batch-per-rank, with which all take that time",
    );
  }
  const seconds = stepTime === undefined ? undefined : parseShortTime(stepTime);
  if (seconds === 0) throw new HatchlingError("--step-time: expected more than 0 but found 0");
  return {
    ranks,
    rates: bandwidth.split(",").map(parseRate),
    latency: parseShortTime(latency),
    batchPerRank,
    seconds,
  };
}

/**
 * The configuration with what one of so many ranks has of a batch.
 *
 * @throws {HatchlingError} when the batch does not divide among them.
 */
export function shareOf(config: Config, ranks: number, batchPerRank?: number): Config {
  const { batch_size: batch } = config.data;
  const share = batchPerRank ?? batch / ranks;
  if (Number.isInteger(share)) return withBatch(config, share);
  throw new HatchlingError(
    `Expected data.batch_size to divide among ${ranks} ranks but found ${batch}: use ${
      Math.ceil(share) * ranks
    }, another number of ranks, or --batch-per-rank`,
  );
}

/** A row of the table. */
export interface RankRow extends RankStep {
  ranks: number;
  bytes_per_second: number;
  pictures_per_step: number;
  pictures_per_second: number;
}

/** What is told of ranks. */
export interface RankPlan {
  batch_per_rank: number;
  latency: number;
  communication: "f32" | "f16";
  /** Of the first of several ranks. */
  exchange?: Exchange;
  rows: RankRow[];
}

/**
 * Works it out.
 *
 * @param of Seconds and FLOPs of a rank's own step, by its configuration.
 */
export async function planRanks(
  gpu: Gpu,
  config: Config,
  { question, sizes, own }: {
    question: RankQuestion;
    sizes: PictureSizes;
    own: (share: Config) => Promise<{ seconds: number; flops: number }>;
  },
): Promise<RankPlan> {
  const { ranks: numbers, rates, latency, batchPerRank } = question;
  const { communication } = config.device;
  const rows: RankRow[] = [];
  let exchange: Exchange | undefined;
  let known: { batch: number; own: { seconds: number; flops: number } } | undefined;
  for (const ranks of numbers) {
    const share = shareOf(config, ranks, batchPerRank), batch = share.data.batch_size;
    if (known?.batch !== batch) known = { batch, own: await own(share) };
    const { seconds, flops: ownFlops } = known.own;
    const between = ranks > 1
      ? await exchangeOf(gpu, share, { sizes, ranks, ownFlops })
      : undefined;
    exchange ??= between;
    const pictures = batch * ranks * config.training.gradient_accumulation_steps;
    for (const bytesPerSecond of rates) {
      const network = { bytesPerSecond, latency };
      const step = rankStep({ ranks, seconds, exchange: between, network, communication });
      rows.push({
        ...{ ranks, bytes_per_second: bytesPerSecond, pictures_per_step: pictures },
        ...{ pictures_per_second: pictures / step.seconds, ...step },
      });
    }
  }
  const batch_per_rank = shareOf(config, numbers[0], batchPerRank).data.batch_size;
  return { batch_per_rank, latency, communication, exchange, rows };
}

/** For people. */
export function rankLines({ latency, communication, exchange, rows }: RankPlan): string[] {
  const lines: string[] = [];
  const line = (words: string, name = "") => lines.push(name.padEnd(16) + words);
  if (exchange) {
    const { buckets, rows: gathered, small } = exchange;
    const bytes = buckets.reduce((sum, { bytes }) => sum + bytes, 0);
    const parts = buckets.map(({ bytes, work }, i) =>
      `${bytesText(bytes)} beside ${
        i < buckets.length - 1 ? `${Math.round(100 * work)} % of the work` : "nothing"
      }`
    );
    line(
      `${bytesText(bytes)} of gradients, sent as ${communication}: ${parts.join(", ")}`,
      "between ranks",
    );
    line(`${bytesText(small)} of losses and notes at the end of a step`);
    const others = gathered.reduce((sum, bytes) => sum + bytes, 0);
    const { ranks } = rows.find(({ ranks }) => ranks > 1)!;
    if (others) {
      line(
        `${bytesText(others)} of features of all pictures in a micro-batch, with ${
          many(ranks, "rank")
        }`,
      );
    }
  }
  line(`${shortTimeText(latency)} from one to another`, exchange ? "" : "between ranks");
  line(
    "a model: where it was tried, sums took 1.2 to 1.5 times as long as it says, up to 2.4 times with a delay of " +
      "milliseconds (docs/guides/scaling.md)",
  );
  const head = ["ranks", "pictures", "rate", "compute", "gradients", "hidden", "rest", "a step"];
  const table = [
    [...head, "pictures/s", "efficiency"],
    ...rows.map((row) => [
      `${row.ranks}`,
      `${row.pictures_per_step}`,
      rateText(row.bytes_per_second),
      ...[row.compute, row.gradients, row.hidden, row.rest, row.seconds].map(shortTimeText),
      `${Number(row.pictures_per_second.toPrecision(3))}`,
      `${Math.round(100 * row.efficiency)} %`,
    ]),
  ];
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  const cells = table.map((row) => row.map((cell, i) => cell.padStart(widths[i])).join("  "));
  return [...lines, "", ...cells, ""];
}
