/** Runs with InfoNCE, as the objective or beside DINO's. */
import assert from "node:assert/strict";
import { diagnose, type DiagnosisSettings, type MetricLine } from "../../lib/diagnosis.ts";

const B = 64, LN_B = Math.log(B);
const ALONE: DiagnosisSettings = {
  objective: "infonce",
  batchSize: B,
  outDim: 1024,
  studentTemp: 0.1,
  teacherTemp: 0.2,
  centering: "none",
  centerMomentum: 0.999,
};

/** A run of InfoNCE alone, logged every 10 steps; nothing of a teacher's distributions is in its lines. */
function infonce(
  steps: number,
  of: (step: number) => { loss: number; accuracy?: number; rank?: number; std?: number },
): MetricLine[] {
  return Array.from({ length: steps / 10 }, (_, i) => {
    const step = 10 * (i + 1), { loss, accuracy, rank = 30, std = 0.8 } = of(step);
    return {
      step,
      epoch: (step - 1) / 100,
      loss,
      contrastive: loss,
      ...accuracy === undefined ? {} : { contrastive_accuracy: accuracy },
      feature_rank: rank,
      feature_std: std,
      gradient_norm: 1,
      lr: 1e-3,
    };
  });
}

const learns = (step: number) => ({
  loss: LN_B / (1 + step / 200),
  accuracy: 1 - 1 / (1 + step / 100),
});

Deno.test("InfoNCE alone: learning, and none of DINO's rules or risks", () => {
  const lines = infonce(600, learns);
  for (const settings of [ALONE, { batchSize: B }, {}]) {
    const found = diagnose(lines, settings);
    assert.equal(found.verdict, "learning");
    assert.deepEqual(found.risks, []);
    const said = found.evidence.join("\n");
    assert.doesNotMatch(said, /NaN|undefined|ln K|prototypes|teacher uses/);
    assert.match(
      said,
      /^the contrastive loss is 1\.\d+ nats.*, after .*% of the queries find their key/m,
    );
    lines.forEach((_, i) => assert.equal(diagnose(lines.slice(0, i + 1), settings).trouble, false));
  }
  assert.match(
    diagnose(lines, ALONE).evidence[0],
    /^the loss is 1\.\d+ nats \(0\.\d+ ln B\), after/,
  );
});

Deno.test("InfoNCE at ln B, from the start or again, is stuck", () => {
  const never = infonce(600, () => ({ loss: LN_B - 0.01, accuracy: 0.02 }));
  assert.equal(diagnose(never.slice(0, 25), ALONE).verdict, "too early to tell");
  const found = diagnose(never, ALONE);
  assert.equal(found.verdict, "contrastive loss stuck");
  assert.match(found.evidence[0], /is 4\.15 nats, .*; guessing among 64 keys has ln B = 4\.16$/);
  assert.match(found.evidence[1], /^2\.0 % of the queries find their key, by chance 1\.6 %$/);
  assert.match(found.remedy, /^raise optimizer\.lr by 3 \(the schedule has reached 0\.001\)/);
  const warm = diagnose(never, { ...ALONE, contrastiveTemp: 1 });
  assert.match(warm.remedy, /^lower loss\.contrastive_temp from 1 to 0\.1/);
  const again = infonce(400, (step) => step < 200 ? learns(step) : { loss: LN_B, accuracy: 0.02 });
  assert.equal(diagnose(again, ALONE).verdict, "contrastive loss stuck");
  // The keys are those of a micro-batch.
  const micro = infonce(600, () => ({ loss: Math.log(16), accuracy: 1 / 16 }));
  assert.equal(diagnose(micro, ALONE).trouble, false);
  assert.equal(diagnose(micro, { ...ALONE, contrastiveKeys: 16 }).trouble, true);
});

Deno.test("every key found by features of few dimensions is a shortcut", () => {
  const cheap = infonce(600, (step) => ({ ...learns(step), accuracy: 1, rank: 3.5 }));
  const found = diagnose(cheap, ALONE);
  assert.equal(found.verdict, "shortcut");
  assert.match(found.evidence[0], /^100 % of the queries .* among 64, yet .* features is 3\.5:/);
  assert.match(found.remedy, /augmentation\.brightness/);
  const rich = infonce(600, (step) => ({ ...learns(step), accuracy: 1 }));
  assert.equal(diagnose(rich, ALONE).verdict, "learning");
  const rises = infonce(600, (step) => ({ ...learns(step), accuracy: 1, rank: 2 + step / 200 }));
  assert.equal(diagnose(rises, ALONE).verdict, "learning");
  const few = { ...ALONE, batchSize: 4 };
  assert.equal(
    diagnose(infonce(600, () => ({ loss: 0.1, accuracy: 1, rank: 3 })), few).trouble,
    false,
  );
});

Deno.test("rank and spread are told of InfoNCE too, and a loss that climbs", () => {
  const fall = infonce(800, (step) => ({ ...learns(step), rank: 1 + 30 * Math.exp(-step / 150) }));
  assert.equal(diagnose(fall, ALONE).verdict, "falling feature rank");
  const climbs = infonce(400, (step) => ({ loss: step < 120 ? 1 : Math.min(12, step / 30) }));
  const found = diagnose(climbs, ALONE);
  assert.equal(found.verdict, "learning rate too high");
  assert.match(
    found.evidence[0],
    /^the loss has climbed from .* ln B at step \d+ to .*, where/,
  );
});

Deno.test("a contrastive term beside DINO: either may learn, either may fail", () => {
  const dino = (step: number, own: number, told: number): Partial<MetricLine> => ({
    step,
    loss: own + 1,
    teacher_entropy: own,
    teacher_entropy_of_mean: own + told,
    kl_teacher_student: 1,
    ibot: 5,
    gram: 0.1,
  });
  const both = (own: (step: number) => number, told: number, nce: (step: number) => number) =>
    infonce(600, (step) => ({ loss: nce(step) })).map((line) => ({
      ...line,
      ...dino(line.step, own(line.step), told),
    }));
  const settings = { outDim: 256, batchSize: B, contrastiveWeight: 1 };
  const nce = (step: number) => learns(step).loss;
  assert.equal(diagnose(both((s) => 4 - s / 250, 1.5, nce), settings).verdict, "learning");
  assert.equal(diagnose(both(() => 4.4, 0.1, nce), settings).verdict, "learning");
  assert.equal(diagnose(both(() => 0.01, 0.01, nce), settings).verdict, "collapse to one peak");
  const stuck = both((s) => 4 - s / 250, 1.5, () => LN_B);
  assert.equal(diagnose(stuck, settings).verdict, "contrastive loss stuck");
});
