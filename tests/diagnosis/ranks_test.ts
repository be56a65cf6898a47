/** A rank that all others wait for. */
import assert from "node:assert/strict";
import {
  diagnose,
  diagnosisLine,
  type MetricLine,
  parseMetricLine,
  parseMetrics,
} from "../../lib/diagnosis.ts";
import { rankTimes, slowRank } from "../../lib/diagnosis/ranks.ts";

/** Lines every 10 steps with the own times of ranks. */
function lines(count: number, of: (step: number) => MetricLine["rank_compute_ms"]): MetricLine[] {
  return Array.from({ length: count }, (_, i) => {
    const step = 10 * (i + 1);
    return { step, loss: 5, rank_compute_ms: of(step) };
  });
}

const EVEN = [100, 104, 96], SLOW = [100, 104, 150];

Deno.test("a rank is slow once it has been for as long as a state holds", () => {
  const upTo = (step: number) =>
    slowRank(lines(step / 10, (at) => at <= 200 ? EVEN : SLOW), {})?.rank;
  assert.equal(upTo(200), undefined);
  assert.equal(upTo(220), undefined, "the median of five lines is still even");
  assert.equal(upTo(260), undefined, "it has not held");
  assert.equal(upTo(300), 2);
  assert.equal(slowRank(lines(30, () => EVEN), {}), undefined);
  assert.equal(slowRank(lines(4, () => SLOW), {}), undefined, "too few lines");
});

Deno.test("a rank that was slow is so until it has been even for as long", () => {
  const upTo = (step: number) =>
    slowRank(lines(step / 10, (at) => at <= 200 ? SLOW : EVEN), {})?.rank;
  assert.deepEqual([upTo(200), upTo(220), upTo(260), upTo(300)], [2, 2, 2, undefined]);
  const comesAndGoes = lines(60, (at) => at % 100 < 40 ? SLOW : EVEN);
  assert.equal(slowRank(comesAndGoes, {}), undefined);
});

Deno.test("it is told which one, on which machine, by how much, and what to do", () => {
  const run = lines(30, () => [400, 640, 400, 400, 560]), hosts = ["a", "b", "c", "d", "e"];
  const found = slowRank(run, { hosts })!;
  assert.equal(found.rank, 1);
  assert.equal(
    found.evidence,
    "rank 1 (b) takes 640 ms of its own in a step, 1.6 times the median of the others, 400 ms, and they wait for it; " +
      "rank 4 (e) 1.4 times",
  );
  assert.match(found.remedy, /^see what else runs on its machine .*--bind-to/);
  const { verdict, slowRank: told, ...diagnosis } = diagnose(run, { hosts });
  assert.equal(verdict, diagnose(lines(30, () => EVEN)).verdict, "it makes no verdict");
  assert.deepEqual(told, found);
  assert.ok(diagnosisLine({ verdict, slowRank: told, ...diagnosis }).endsWith(found.evidence));
  assert.equal(slowRank(run, {})!.evidence.slice(0, 13), "rank 1 takes ");
});

Deno.test("of two ranks each is compared with the other", () => {
  assert.equal(slowRank(lines(30, () => [100, 129]), {}), undefined);
  assert.equal(slowRank(lines(30, () => [131, 100]), {})!.rank, 0);
});

Deno.test("which of two slow ranks is the slowest may change from line to line", () => {
  const run = lines(30, (step) => step % 20 ? [100, 100, 200, 190] : [100, 100, 190, 200]);
  assert.ok(slowRank(run, {})!.rank >= 2);
});

Deno.test("lines of one rank, of other ranks, and holes tell nothing of a slow rank", () => {
  assert.equal(slowRank([], {}), undefined);
  assert.equal(slowRank(lines(30, () => undefined), {}), undefined);
  assert.equal(slowRank(lines(30, () => [100]), {}), undefined);
  assert.equal(slowRank(lines(30, () => [100, null, 104]), {}), undefined);
  assert.equal(slowRank(lines(30, () => [100, null, 150]), {})!.rank, 2);
  // A run that goes on with two ranks instead of three.
  const other = lines(30, (step) => step <= 200 ? SLOW : [100, 100]);
  assert.deepEqual(rankTimes(other), [100, 100]);
  assert.deepEqual(rankTimes(other.slice(0, 22)), [NaN, NaN], "two lines are too few");
  assert.equal(slowRank(other, {}), undefined);
  const alone = [...lines(30, () => SLOW), { step: 310, loss: 5 }];
  assert.equal(slowRank(alone, {}), undefined, "it goes on by itself");
  const ended = [...lines(30, () => SLOW), { step: 301, non_finite: "the loss" }];
  assert.equal(slowRank(ended, {})!.rank, 2);
});

Deno.test("a very long run is judged by its newest lines", () => {
  const run = lines(50_000, (step) => step <= 400_000 ? EVEN : SLOW);
  assert.equal(slowRank(run, {})!.rank, 2);
  assert.equal(slowRank(run.slice(0, 40_000), {}), undefined);
});

Deno.test("figures of ranks are read where they are there, and no others", () => {
  const line = {
    step: 10,
    comm_bytes: 1e6,
    comm_ms: 30,
    comm_hidden_ms: 20,
    comm_wait_ms: 5,
    rank_compute_ms: [100, null, 104.5],
  };
  assert.deepEqual(parseMetricLine(JSON.stringify(line)), line);
  assert.deepEqual(parseMetricLine('{"step":10}'), { step: 10 });
  for (const odd of ['"x"', "{}", "7", "null", '[1,"2"]', "[[1]]", "[1e200]"]) {
    assert.equal(parseMetricLine(`{"step":10,"rank_compute_ms":${odd}}`), undefined, odd);
  }
  const many = JSON.stringify({ step: 1, rank_compute_ms: Array(5000).fill(1) });
  assert.equal(parseMetrics(many).lines[0].rank_compute_ms!.length, 4096);
});
