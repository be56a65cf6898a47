/** What `deno task plan --ranks` tells: units, the model's numbers worked by hand, what is exchanged, and words. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import small from "../../configs/small.yaml" with { type: "text" };
import tiny from "../../configs/tiny.yaml" with { type: "text" };
import { type Config, parseConfig, parseOverrides } from "../../lib/config.ts";
import { gpuElsewhere } from "../../lib/plan/elsewhere.ts";
import { type Exchange, exchangeOf } from "../../lib/plan/exchange.ts";
import { rankStep, sumSeconds } from "../../lib/plan/ranks.ts";
import { withBatch } from "../../lib/plan/remedies.ts";
import { planStep } from "../../lib/plan/step.ts";
import { parseRate, parseShortTime, rateText, shortTimeText } from "../../lib/plan/units.ts";
import { rankQuestion, shareOf } from "../../scripts/plan/ranks.ts";
import { gpuTest, lacksAdapter } from "../support/gpu.ts";
import { lacks, testUnless } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const SIZES = { largestPixels: 1024 };
const config = (text: string, ...args: string[]): Config => parseConfig(text, parseOverrides(args));
/** 1 GB/s and 1 ms. */
const NETWORK = { bytesPerSecond: 1e9, latency: 1e-3 };
const MIB = 2 ** 20;
const close = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 1e-9, `${found} where ${expected} is expected`);

Deno.test("rates and times are read with their units, and refused without", () => {
  const rates: [string, number][] = [
    ["10gbit", 1.25e9],
    ["100 Mbit/s", 12.5e6],
    ["1.25GB/s", 1.25e9],
    ["3gb/s", 3e9],
    ["800bit/s", 100],
  ];
  for (const [text, bytes] of rates) assert.equal(parseRate(text), bytes, text);
  for (const text of ["10", "10gb", "10Gb/s", "10gbps", "-1gbit", "0gbit", "gbit", "1e3bit", ""]) {
    const message = new RegExp(`^Expected a rate such as 10gbit .* found "${text}": write bits`);
    assert.throws(() => parseRate(text), { name: "HatchlingError", message }, text);
  }
  const times: [string, number][] = [["50us", 50e-6], ["50µs", 50e-6], ["1.5ms", 1.5e-3], [
    "0ms",
    0,
  ], ["2 s", 2]];
  for (const [text, seconds] of times) assert.equal(parseShortTime(text), seconds, text);
  for (const text of ["50", "50m", "us", "-1ms", ""]) {
    const message = new RegExp(`^Expected a time such as 50us, .* found "${text}"`);
    assert.throws(() => parseShortTime(text), { name: "HatchlingError", message }, text);
  }
  assert.deepEqual([1.25e9, 12.5e6, 1e3].map(rateText), ["10 Gbit/s", "100 Mbit/s", "8 kbit/s"]);
  assert.deepEqual([2.4, 0.16, 0, 5e-5].map(shortTimeText), ["2.4 s", "160 ms", "0 ms", "50 µs"]);
});

Deno.test("sums over ranks take what their messages take", () => {
  close(sumSeconds(1, 4 * MIB, NETWORK), 0);
  close(sumSeconds(2, 0, NETWORK), 0);
  // Two messages of 2 MiB, 3 ms and 2.097152 ms each.
  close(sumSeconds(2, 4 * MIB, NETWORK), 0.010194304);
  // And two of 1 MiB, 3 ms and 1.048576 ms each: so are 2 MiB of 2 ranks.
  close(sumSeconds(4, 4 * MIB, NETWORK), 0.018291456);
  close(sumSeconds(2, 6 * MIB, NETWORK), 0.018291456);
  // Messages of 64 KiB go without being asked for.
  close(sumSeconds(2, 128 * 1024, NETWORK), 0.002131072);
  // A ring of 3: four messages of 4 MiB / 3.
  close(sumSeconds(3, 4 * MIB, NETWORK), 4 * 0.003 + 4 / 3 * 4 * MIB / 1e9);
  // Of 96 ranks 32 hand theirs over in 2, 2 and 4 MiB; 64 halve 4 MiB down to 64 KiB and back.
  close(
    sumSeconds(96, 4 * MIB, NETWORK),
    0.009 + 0.008388608 + 2 * (5 * 0.003 + 0.001 + 0.004128768),
  );
  // Halves of 4 ranks: two rounds, three parts of 512 KiB in each.
  close(sumSeconds(4, 4 * MIB, NETWORK, "f16"), 2 * (0.003 + 3 * 0.000524288));
});

Deno.test("a step waits for what its work does not hide", () => {
  const exchange: Exchange = {
    buckets: [{ bytes: 4 * MIB, work: 0.01 }, { bytes: 4 * MIB, work: 0 }],
    rows: [128 * 1024],
    small: 128 * 1024,
    microBatches: 2,
    flops: 1.1,
    ownFlops: 1,
  };
  const host = { bytesPerSecond: { f32: Infinity, f16: 4e9 }, read: 0.01 };
  const input = { ranks: 2, seconds: 1, exchange, network: NETWORK, host };
  const step = rankStep(input);
  close(step.compute, 1.1); // a tenth more work, for the pictures of the other
  close(step.gradients, 2 * 0.020194304);
  close(step.hidden, 0.011);
  close(step.rest, 2 * 0.012131072 + 0.002131072);
  close(step.seconds, 1.1 + 0.040388608 - 0.011 + 0.026393216);
  close(step.efficiency, 1 / 1.155781824);
  // Nothing is hidden that is not there.
  const [first, last] = exchange.buckets;
  const buckets = [{ ...first, work: 0.9 }, last];
  close(rankStep({ ...input, exchange: { ...exchange, buckets } }).hidden, 0.020194304);
  // Halves: two messages of 1 MiB, and 1.048576 ms of rounding.
  const halves = rankStep({ ...input, communication: "f16" });
  close(halves.gradients, 2 * (0.01 + 2 * (0.003 + 0.001048576) + 0.001048576));
  assert.deepEqual(rankStep({ ...input, ranks: 1 }), {
    ...{ seconds: 1, compute: 1, gradients: 0, hidden: 0, rest: 0, efficiency: 1 },
  });
});

gpuTest("exchangeOf() tells gradients, sums and features of what is trained", async (gpu) => {
  const of = withBatch(config(small), 8);
  const { flops: ownFlops, bytes } = await planStep(gpu, of, SIZES);
  const exchange = await exchangeOf(gpu, of, { sizes: SIZES, ranks: 4, ownFlops });
  const sum = exchange.buckets.reduce((sum, { bytes }) => sum + bytes, 0);
  const gradients = bytes.find(({ what }) => what === "gradients")!.bytes;
  assert.ok(sum > 0.9 * gradients && sum <= gradients, `${sum} of ${gradients}`);
  assert.ok(exchange.buckets.every(({ work }) => work >= 0 && work < 1));
  assert.equal(exchange.buckets.at(-1)!.work, 0);
  // The teacher's distributions and logits, K = 1,024 each time, and nine numbers of each of four ranks; the others of
  // DINO and InfoNCE, few, begin where the adapter binds.
  const known = 2 * 1024 + 4 * 9, others = exchange.small / 4 - known;
  assert.ok(others > 0 && others <= 6 * gpu.alignment / 4, `${others} others`);
  // InfoNCE compares 6 views of 8 pictures of each of 4 ranks, 64 wide, gathered once.
  assert.deepEqual(exchange.rows, [4 * 6 * 8 * 4 * 64]);
  assert.ok(exchange.flops > ownFlops);
  const dino = withBatch(config(tiny), 4), alone = await planStep(gpu, dino, SIZES);
  const plain = await exchangeOf(gpu, dino, { sizes: SIZES, ranks: 2, ownFlops: alone.flops });
  assert.deepEqual(plain.rows, []);
  assert.equal(plain.flops, alone.flops);
  const refused = config(tiny, "--loss.centering", "sinkhorn_knopp");
  await assert.rejects(
    exchangeOf(gpu, refused, { sizes: SIZES, ranks: 2, ownFlops }),
    /expected one rank with centering sinkhorn_knopp but found 2/,
  );
});

gpuTest("a GPU elsewhere has room for what none here has", async (gpu) => {
  const large = withBatch(config(tiny), 8192);
  const { refused, total } = await planStep(gpuElsewhere(gpu), large, SIZES);
  assert.deepEqual(refused, []);
  assert.ok(total > 2 ** 30);
});

Deno.test("what is asked of ranks is whole, or refused with what is missing", () => {
  const whole = { ranks: [8, 64], bandwidth: "10gbit,100gbit", latency: "50us" };
  assert.deepEqual(rankQuestion(whole), {
    ...{ ranks: [8, 64], rates: [1.25e9, 12.5e9], latency: 50e-6 },
    ...{ batchPerRank: undefined, seconds: undefined },
  });
  assert.equal(rankQuestion({}), undefined);
  const refused: [Parameters<typeof rankQuestion>[0], RegExp][] = [
    [{ latency: "1ms" }, /Expected --ranks with --latency but found none: --ranks 8/],
    [{ ranks: [8] }, /--bandwidth and --latency with --ranks but found neither: --bandwidth 10g/],
    [
      { ...whole, stepTime: "1s" },
      /one number of ranks with --step-time but found 2: .*--batch-per/,
    ],
    [{ ...whole, ranks: [8], stepTime: "0s" }, /--step-time: expected more than 0 but found 0/],
  ];
  for (const [options, message] of refused) {
    assert.throws(() => rankQuestion(options), { name: "HatchlingError", message });
  }
  const of = config(tiny); // a batch of 8
  assert.deepEqual([1, 2, 8].map((n) => shareOf(of, n).data.batch_size), [8, 4, 1]);
  assert.equal(shareOf(of, 3, 5).data.batch_size, 5);
  assert.throws(
    () => shareOf(of, 3),
    /data\.batch_size to divide among 3 ranks but found 8: use 9, another number of ranks, or --batch/,
  );
});

/** `deno task plan` in a process of its own. */
async function plan(...args: string[]) {
  const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", path("scripts/plan.ts"), path("configs/tiny.yaml"), ...args],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
const needs = [lacksAdapter, lacks("run", "read", "env", "ffi", "sys")];
const FEW = ["--pictures", "1000"], NET = ["--bandwidth", "1gbit,10gbit", "--latency", "50us"];

testUnless(needs, "plan --ranks measures a rank's share, and tells a step of all", async () => {
  const { code, stdout, stderr } = await plan(...FEW, "--ranks", "2", ...NET, "--json");
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout), { ranks } = found;
  assert.deepEqual([found.batch_size, ranks.batch_per_rank, ranks.latency], [4, 4, 50e-6]);
  // A batch of 8 for two ranks, six steps as ever.
  assert.deepEqual([found.steps_per_epoch, found.seconds_per_epoch], [125, null]);
  assert.equal(ranks.rows.length, 2);
  for (const row of ranks.rows) {
    assert.equal(row.pictures_per_step, 8);
    close(row.seconds, row.compute + row.gradients - row.hidden + row.rest);
    close(row.efficiency, found.seconds_per_step / row.seconds);
    close(row.pictures_per_second * row.seconds, 8);
  }
  assert.ok(ranks.rows[0].gradients > ranks.rows[1].gradients);
});

testUnless(needs, "plan --ranks tells other machines by the time that is given", async () => {
  const args = ["--ranks", "1,8,64", ...NET, "--batch-per-rank", "512", "--step-time", "160ms"];
  const { code, stdout, stderr } = await plan(...FEW.with(1, "100000"), ...args);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^adapter +a GPU elsewhere$/m);
  assert.match(stdout, /^pictures .* with 1 rank; what follows is of one$/m);
  assert.match(stdout, /^between ranks +177 KiB of gradients, sent as f32: .* beside nothing$/m);
  assert.match(stdout, /^ +a model: .* sums took 1\.2 to 1\.5 times as long as it says/m);
  assert.match(stdout, /^ *1 +512 +1 Gbit\/s +160 ms .* 160 ms +3200 +100 %$/m);
  assert.match(stdout, /^ *64 +32768 +10 Gbit\/s +160 ms /m);
  assert.doesNotMatch(stdout, /^time /m);
});

testUnless(needs, "plan --ranks refuses what is wrong in words", async () => {
  const cases: [string[], RegExp][] = [
    [
      ["--ranks", "3", ...NET],
      /error: Expected data\.batch_size to divide among 3 ranks but found 8/,
    ],
    [["--ranks", "0", ...NET], /Expected whole numbers from 1 to 65536: 8, or 8,64,512\./],
    [
      ["--ranks", "2", ...NET, "--no-time"],
      /error: Expected --step-time with --ranks and --no-time/,
    ],
    [
      ["--ranks", "2", ...NET, "--budget", "1h"],
      /error: Expected --budget or --ranks but found both/,
    ],
    [["--ranks", "2", "--bandwidth", "10", "--latency", "1ms"], /error: Expected a rate such as/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await plan(...FEW, ...args);
    assert.deepEqual([code, stdout], [1, ""], args.join(" "));
    assert.match(stderr, message);
  }
});
