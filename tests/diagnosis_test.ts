/** Diagnoses of recorded and of made-up runs. The recorded ones name the command that made them. */
import assert from "node:assert/strict";
import {
  diagnose,
  type Diagnosis,
  type DiagnosisSettings,
  type MetricLine,
  parseMetrics,
  type Verdict,
} from "../lib/diagnosis.ts";
import { curve, median, turns } from "../lib/diagnosis/curves.ts";
import { type Recording, recordingOf } from "./diagnosis/recordings.ts";
import healthy from "./diagnosis/healthy.json" with { type: "json" };
import largeSteps from "./diagnosis/large_steps.json" with { type: "json" };
import onePeak from "./diagnosis/one_peak.json" with { type: "json" };
import slowCenter from "./diagnosis/slow_center.json" with { type: "json" };
import tinyLargeSteps from "./diagnosis/tiny_large_steps.json" with { type: "json" };
import tinyUniform from "./diagnosis/tiny_uniform.json" with { type: "json" };
import uniform from "./diagnosis/uniform.json" with { type: "json" };
import young from "./diagnosis/young.json" with { type: "json" };

/** What each recorded run is to be told, and first to change. */
const RUNS: [string, Recording, Verdict, RegExp][] = [
  ["healthy", healthy, "learning", /^$/],
  ["without centring", onePeak, "collapse to one peak", /^set loss\.centering to center/],
  ["slow centre", slowCenter, "collapse to one peak", /^lower loss\.center_momentum from 0\.999 /],
  ["warm teacher", uniform, "collapse to uniform", /^lower loss\.teacher_temp .* from 0\.1 to/],
  ["hot teacher", tinyUniform, "collapse to uniform", /^lower loss\.teacher_temp .* from 0\.2 to/],
  ["large steps", largeSteps, "learning rate too high", /^divide optimizer\.lr by 167 or more/],
  ["large steps, tiny", tinyLargeSteps, "learning rate too high", /^divide optimizer\.lr by 10 or/],
  ["young", young, "too early to tell", /^$/],
];

const inTrouble = ({ verdict }: Diagnosis) => !["learning", "too early to tell"].includes(verdict);

/** A made-up run, logged every 10 steps from 10 on; 100 steps an epoch. */
function madeUp(steps: number, of: (step: number) => Partial<MetricLine>): MetricLine[] {
  return Array.from({ length: steps / 10 }, (_, i) => {
    const step = 10 * (i + 1);
    return { step, epoch: (step - 1) / 100, ...of(step) };
  });
}

/** The figures of a teacher with entropy `own` and information `told`, and a student `kl` away from it. */
const figures = (own: number, told: number, kl: number): Partial<MetricLine> => ({
  loss: own + kl,
  teacher_entropy: own,
  teacher_entropy_of_mean: own + told,
  kl_teacher_student: kl,
});

/** A run that learns: 4 nats at first, then less. */
const learning = (step: number) => figures(4 - step / 250, 1.5, 1);

const PLAIN: DiagnosisSettings = { outDim: 256, batchSize: 32 };

for (const [name, run, verdict, remedy] of RUNS) {
  const lines = recordingOf(run);
  const settings = run.settings as DiagnosisSettings;

  Deno.test(`recorded run ${name}: ${verdict}`, () => {
    const before = structuredClone(lines);
    const found = diagnose(lines, settings);
    assert.equal(found.verdict, verdict, run.command);
    assert.equal(found.trouble, inTrouble(found));
    assert.match(found.remedy, remedy);
    assert.ok(found.evidence.length > 0);
    assert.doesNotMatch([...found.evidence, found.remedy].join(), /NaN|undefined|Infinity/);
    assert.deepEqual(lines, before, "the lines were changed");
    assert.deepEqual(diagnose(lines, settings), found);
  });

  Deno.test(`recorded run ${name}: the same from half of its lines, and from the oldest keys`, () => {
    for (const odd of [0, 1]) {
      const half = lines.filter((_, i) => i % 2 === odd);
      assert.equal(diagnose(half, settings).verdict, verdict);
    }
    const old = lines.map((line) => ({
      ...line,
      center_norm: undefined,
      feature_std: undefined,
      feature_rank: null,
      gradient_norm: undefined,
    }));
    assert.equal(diagnose(old, settings).verdict, verdict);
  });

  Deno.test(`recorded run ${name}: what is said while it runs`, () => {
    const said = lines.map((_, i) => diagnose(lines.slice(0, i + 1), settings));
    const first = said.findIndex(inTrouble);
    if (remedy.source === "^$") {
      assert.equal(first, -1, `step ${lines[first]?.step}: ${said[first]?.verdict}`);
      return;
    }
    assert.ok(lines[first].step <= 250, `only at step ${lines[first].step}`);
    assert.deepEqual(new Set(said.filter(inTrouble).map((d) => d.verdict)), new Set([verdict]));
  });
}

Deno.test("settings alone make no verdict, but are named", () => {
  const settings: DiagnosisSettings = {
    ...healthy.settings,
    teacherTemp: 0.2,
    centering: "none",
    initStd: 0.0015,
  };
  const { verdict, risks, trouble, evidence } = diagnose(recordingOf(healthy), settings);
  assert.equal(verdict, "too early to tell");
  assert.match(evidence[0], /settings below are risky, and 300 steps are fewer than 500/);
  assert.equal(trouble, false);
  assert.equal(risks.length, 3);
  assert.match(risks.join("\n"), /loss\.teacher_temp 0\.2 is not below loss\.student_temp 0\.1/);
  assert.match(risks.join("\n"), /loss\.centering none/);
  assert.match(risks.join("\n"), /a learning rate of 0\.001: .* 0\.67 times the size/);
  const slow = diagnose(recordingOf(healthy), { ...healthy.settings, centerMomentum: 0.999 });
  assert.equal(slow.verdict, "too early to tell");
  const later = recordingOf(healthy).map((line) => ({ ...line, step: line.step + 260 }));
  assert.equal(diagnose(later, settings).verdict, "learning");
  assert.match(slow.risks.join(), /0\.999 needs about 1,000 steps to follow .* this run has 300:/);
  assert.deepEqual(diagnose(recordingOf(healthy), healthy.settings).risks, []);
});

Deno.test("the curves alone tell what a run suffers from", () => {
  for (const run of [onePeak, slowCenter, uniform, largeSteps, tinyLargeSteps]) {
    const [, , verdict] = RUNS.find(([, known]) => known === run)!;
    const { outDim, batchSize } = run.settings;
    const found = diagnose(recordingOf(run), { outDim, batchSize });
    assert.equal(found.trouble, true, run.command);
    if (verdict !== "learning rate too high") assert.equal(found.verdict, verdict, run.command);
    assert.equal(diagnose(recordingOf(run)).trouble, true, "nor are K and B needed");
  }
});

Deno.test("a start near uniform is not a collapse; staying there after the warm-up is", () => {
  const lnK = Math.log(65536);
  const settings = { outDim: 65536, batchSize: 64, warmupEpochs: 10, freezeLastLayer: 1 };
  // The plateau ends at step 900: within the warm-up.
  const start = madeUp(2000, (step) => {
    const rise = Math.min(1, Math.exp((step - 1200) / 100));
    return figures(lnK * (1 - 0.6 * rise) - 0.02, 3 * rise + 0.01, 0.01 + 2 * rise);
  });
  start.forEach((_, i) => assert.ok(!inTrouble(diagnose(start.slice(0, i + 1), settings))));
  assert.equal(diagnose(start, settings).verdict, "learning");
  const stays = madeUp(2000, () => figures(lnK - 0.02, 0.01, 0.01));
  assert.equal(diagnose(stays.slice(0, 99), settings).verdict, "too early to tell");
  assert.equal(diagnose(stays, settings).verdict, "collapse to uniform");
});

Deno.test("one prototype may lead until the centre has followed, not longer", () => {
  const follows = madeUp(
    400,
    (step) => figures(Math.min(4, step / 50), Math.min(1, step / 200), 1),
  );
  follows.forEach((_, i) => assert.ok(!inTrouble(diagnose(follows.slice(0, i + 1), PLAIN))));
  const stays = madeUp(400, () => figures(0.1, 0.2, 1));
  assert.equal(diagnose(stays.slice(0, 9), PLAIN).verdict, "too early to tell");
  assert.equal(diagnose(stays, PLAIN).verdict, "collapse to one peak");
});

Deno.test("few pictures or few prototypes are no collapse", () => {
  const alone = madeUp(400, (step) => figures(0.01 + 1 / step, 0, 0.3));
  assert.equal(diagnose(alone, { outDim: 256, batchSize: 1 }).trouble, false);
  const two = madeUp(400, (step) => figures(0.05 + 1 / step, 0.6, 0.2));
  assert.equal(diagnose(two, { outDim: 2, batchSize: 32 }).verdict, "learning");
  assert.equal(diagnose(two, { outDim: 256, batchSize: 2 }).verdict, "learning");
  assert.equal(diagnose(two, PLAIN).verdict, "collapse to one peak");
});

Deno.test("a rank that falls is told, a dip at the start is not", () => {
  const ranked = (rank: (step: number) => number, std = 0.7) =>
    madeUp(600, (step) => ({ ...learning(step), feature_rank: rank(step), feature_std: std }));
  const dip = ranked((step) => step < 90 ? 40 - step / 2.5 : Math.min(30, step / 20));
  dip.forEach((_, i) => assert.equal(diagnose(dip.slice(0, i + 1), PLAIN).trouble, false));
  const fall = diagnose(ranked((step) => 20 * Math.exp(-step / 200) + 1), PLAIN);
  assert.equal(fall.verdict, "falling feature rank");
  assert.match(fall.evidence[0], /features is 2\.\d+ \(20 at step 10\)$/);
  assert.match(fall.remedy, /^lower optimizer\.lr by 3; loss\.koleo_weight 0\.1/);
  assert.match(
    diagnose(ranked((s) => 20 / s + 1), { ...PLAIN, weightDecay: 10 }).remedy,
    /from 10/,
  );
  // All pictures alike: what the head makes of them is the same, whatever its entropy.
  const alike = madeUp(400, (step) => figures(2, step < 200 ? 1 : 0.001, 0.1));
  const same = diagnose(alike, PLAIN);
  assert.equal(same.verdict, "falling feature rank");
  assert.match(same.evidence[0], /every picture gets the same answer$/);
});

Deno.test("a loss that climbs while the centre follows is no trouble", () => {
  const start = madeUp(400, (step) => ({
    ...figures(
      Math.min(4, 1 + step / 20),
      Math.min(1, step / 100),
      step < 100 ? 3 : 2 - step / 250,
    ),
    lr: 0.02,
  }));
  start.forEach((_, i) => assert.equal(diagnose(start.slice(0, i + 1), PLAIN).trouble, false));
});

Deno.test("a loss that climbs, or a teacher that is thrown about, is a learning rate too high", () => {
  const climbs = madeUp(400, (step) => ({
    ...figures(4, 1, Math.max(0.5, step / 50)),
    gradient_norm: step,
  }));
  const found = diagnose(climbs, PLAIN);
  assert.equal(found.verdict, "learning rate too high");
  assert.match(found.evidence[0], /^the loss has climbed from 1\.0\d ln K at step 100 to 2\.\d+,/);
  assert.match(found.evidence[1], /^the norm of the gradient has grown from \d+ /);
  assert.match(found.remedy, /^divide optimizer\.lr by 10 or more; /);
  // Between one prototype and all, and the features no longer differ.
  const thrown = madeUp(400, (step) => ({
    ...figures(2.5 - 2.4 * Math.cos(step / 25), step < 50 ? 1 : 0, 0.01),
    feature_rank: 1 + 10 / step,
    feature_std: 1 / step,
  }));
  const swings = diagnose(thrown, PLAIN);
  assert.equal(swings.verdict, "learning rate too high");
  assert.match(swings.evidence[0], /^the teacher's entropy swings between \d+ % and 8\d % of ln K/);
});

Deno.test("NaN is told with the tensor that held it, until the run has gone on", () => {
  const stop: MetricLine = {
    step: 205,
    lr: 0.5,
    non_finite: "the gradient of blocks.0.mlp.fc1.weight",
    first_non_finite: "student.block.0 (32×32): NaN at [0, 1], the first of 3 in 64 numbers",
  };
  const before = madeUp(200, learning);
  const found = diagnose([...before, stop], { ...PLAIN, initStd: 0.02 });
  assert.equal(found.verdict, "not finite");
  assert.equal(found.trouble, true);
  assert.match(
    found.evidence[0],
    /^NaN or infinity in the gradient of blocks\.0\.mlp\.fc1\.weight at step 205$/,
  );
  assert.match(found.evidence[1], /^the first was in student\.block\.0 /);
  assert.match(found.evidence[2], /^a learning rate of 0\.5/);
  assert.match(
    found.remedy,
    /^divide optimizer\.lr by 250 or more \(the schedule has reached 0\.5\)/,
  );
  assert.equal(diagnose([stop]).verdict, "not finite");
  const later = madeUp(400, learning).slice(20);
  assert.equal(diagnose([...before, stop, ...later], PLAIN).verdict, "learning");
});

Deno.test("too few lines or steps, or none with a loss, are too early to tell", () => {
  assert.equal(diagnose([]).verdict, "too early to tell");
  assert.deepEqual(diagnose([]).evidence, ["no step has been logged yet"]);
  const six = Array.from({ length: 6 }, (_, i) => ({ step: i + 1, ...figures(0.001, 0, 0) }));
  const { verdict, evidence } = diagnose(six, PLAIN);
  assert.equal(verdict, "too early to tell");
  assert.match(evidence[0], /^6 steps in 6 lines: a verdict needs 50 steps and 5 lines$/);
  const bare = diagnose(madeUp(400, () => ({ loss: null })), PLAIN);
  assert.match(bare.evidence[0], /^the lines hold no loss/);
});

Deno.test("a long run is judged by its end, with a memory of its beginning", () => {
  const long = madeUp(100_000, (step) => learning(Math.min(step, 600)));
  assert.equal(diagnose(long, PLAIN).verdict, "learning");
  const end = madeUp(1200, () => figures(0.01, 0.001, 0.01)).map((line) => ({
    ...line,
    step: line.step + 100_000,
  }));
  const { verdict, evidence } = diagnose([...long, ...end], PLAIN);
  assert.equal(verdict, "collapse to one peak");
  assert.match(evidence[0], /entropy of 0\.011 nats \(5\.\d+ at step 10\)/);
});

Deno.test("metrics.jsonl: torn, damaged, repeated and foreign lines", () => {
  const whole = '{"step":10,"loss":1}\n{"step":20,"loss":null}\n';
  assert.deepEqual(parseMetrics(whole), {
    lines: [{ step: 10, loss: 1 }, { step: 20, loss: null }],
    damaged: [],
    moreDamaged: 0,
    torn: false,
  });
  assert.deepEqual(parseMetrics(""), {
    lines: [],
    damaged: [],
    moreDamaged: 0,
    torn: false,
  });
  const torn = parseMetrics(`${whole}{"step":30,"lo`);
  assert.equal(torn.torn, true);
  assert.equal(torn.lines.length, 2);
  assert.equal(
    parseMetrics(whole.trimEnd()).lines.length,
    2,
    "the end of the last line is missing",
  );
  const damaged = parseMetrics(`{"step":10}\nnonsense\n\n{"loss":1}\n7\n{"step":20}\n`);
  assert.deepEqual(damaged.lines.map(({ step }) => step), [10, 20]);
  assert.deepEqual(damaged.damaged, [2, 4, 5]);
  const repeated = parseMetrics('{"step":10}\n{"step":20}\n{"step":20,"loss":3}\n{"step":30}\n');
  assert.deepEqual(repeated.lines.map(({ step, loss }) => [step, loss]), [
    [10, undefined],
    [20, 3],
    [30, undefined],
  ]);
  const bad = parseMetrics('{"step":10,"loss":3}\n{"step":10,"non_finite":"the loss"}\n');
  assert.equal(bad.lines.length, 2);
  assert.throws(
    () => parseMetrics("time,loss\n1,2\n", "x/metrics.jsonl"),
    /^HatchlingError: Expected lines of JSON .* none in x\/metrics\.jsonl: line 1 is "time,loss"\. Is it/,
  );
});

Deno.test("medians, curves and their turns", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([9, 1, 2, 3, 9], 1, 4), 2);
  const of = (values: readonly number[]) =>
    curve(values.map((loss, i) => ({ step: 10 * (i + 1), loss })), "loss")!;
  assert.equal(of([1, 2, 3, 4]), undefined);
  const spike = of([1, 1, 1, 1, 1, 1, 99, 1, 1, 1, 1, 1]);
  assert.deepEqual([spike.high.value, spike.recent], [1, 1], "one outlier does not count");
  assert.deepEqual(of([5, 4, 3, 2, 1]).high, { step: 10, value: 5 });
  const wave = (turns: number) =>
    of(Array.from({ length: 10 * (turns + 1) }, (_, i) => Math.cos(Math.PI * i / 10)));
  for (const n of [0, 1, 2, 5]) assert.equal(turns(wave(n), 1), n);
  assert.equal(turns(wave(5), 3), 0);
});
