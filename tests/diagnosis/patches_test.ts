/** Runs with masked patches beside DINO's loss. */
import assert from "node:assert/strict";
import { diagnose, type DiagnosisSettings, type MetricLine } from "../../lib/diagnosis.ts";

const K = 1024, LN_K = Math.log(K);
const SETTINGS: DiagnosisSettings = {
  objective: "dino",
  batchSize: 64,
  outDim: K,
  studentTemp: 0.1,
  teacherTemp: 0.04,
  centering: "center",
  centerMomentum: 0.9,
  ibotSeparateHead: false,
};

/** A sound run of DINO, logged every 10 steps, with what patches do; `told` is what answers tell, in nats. */
function dino(steps: number, of: (step: number) => { ibot: number; told: number }): MetricLine[] {
  return Array.from({ length: steps / 10 }, (_, i) => {
    const step = 10 * (i + 1), { ibot, told } = of(step);
    const loss = LN_K / (1 + step / 500);
    return {
      step,
      epoch: (step - 1) / 100,
      loss,
      loss_over_ln_k: loss / LN_K,
      teacher_entropy: 2,
      teacher_entropy_of_mean: 5,
      kl_teacher_student: loss - 2,
      ibot,
      ibot_teacher_entropy: 3,
      ibot_teacher_entropy_of_mean: 3 + told,
      feature_rank: 30,
      feature_std: 0.8,
      gradient_norm: 1,
      lr: 1e-3,
    };
  });
}

const learns = (step: number) => ({ ibot: LN_K / (1 + step / 1000), told: 2 });

Deno.test("masked patches that are learned are told, and are no trouble at any line", () => {
  const lines = dino(1500, learns);
  const found = diagnose(lines, SETTINGS);
  assert.equal(found.verdict, "learning");
  assert.match(
    found.evidence.join("\n"),
    /^the loss of masked patches is 2\.\d+ nats \(0\.4\d* ln K\), after .*hold 2 nats about the patch$/m,
  );
  lines.forEach((_, i) => assert.equal(diagnose(lines.slice(0, i + 1), SETTINGS).trouble, false));
  const without = lines.map(({ ibot: _, ibot_teacher_entropy: __, ...line }) => line);
  assert.doesNotMatch(diagnose(without, SETTINGS).evidence.join("\n"), /patch/);
});

Deno.test("masked patches that all get the same answer are a collapse of their own", () => {
  const fell = dino(1000, (step) => ({ ibot: 3, told: step < 300 ? 2 : 0.001 }));
  const never = dino(1500, () => ({ ibot: 3, told: 0.001 }));
  for (const lines of [fell, never]) {
    const found = diagnose(lines, SETTINGS);
    assert.equal(found.verdict, "collapse of patches");
    assert.ok(found.trouble);
    assert.match(
      found.evidence.join("\n"),
      /hold 0\.001 nats about the patch, after .* all patches get the same/,
    );
    assert.match(found.remedy, /^set loss\.ibot_separate_head true; lower loss\.ibot_weight/);
  }
  const own = diagnose(fell, { ...SETTINGS, ibotSeparateHead: true });
  assert.match(own.remedy, /^lower loss\.ibot_weight/);
  // A start may take its time.
  assert.equal(diagnose(never.slice(0, 40), SETTINGS).trouble, false);
  assert.equal(diagnose(never.slice(0, 90), { ...SETTINGS, warmupEpochs: 10 }).trouble, false);
});
