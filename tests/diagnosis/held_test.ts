/** Hysteresis: what single looks say counts once it has held. */
import assert from "node:assert/strict";
import { diagnose, type DiagnosisSettings, type MetricLine } from "../../lib/diagnosis.ts";
import { held, HOLD, looksOf } from "../../lib/diagnosis/held.ts";
import { lookAt } from "../../lib/diagnosis/look.ts";
import { recordingOf } from "./recordings.ts";
import flips from "./flips.json" with { type: "json" };
import { Rng } from "../../lib/rng.ts";

const moments = (...steps: number[]) => steps.map((step) => ({ step }));

/** What holds after each of the looks, of letters that they say. */
function history(said: string, every = 10): (string | undefined)[] {
  const all = moments(...Array.from(said, (_, i) => every * (i + 1)));
  return all.map((_, i) =>
    held(all.slice(0, i + 1), (j) => ({ verdict: said[j] }), HOLD).holds?.verdict
  );
}

Deno.test("a state takes another one's place only after it has held, and says so before", () => {
  assert.equal(history("aaaaaa").at(-1), "a");
  assert.equal(history("aaaaa").at(-1), undefined, "five looks lie 40 steps apart");
  assert.equal(history("aaaaaabbbbb").at(-1), "a");
  assert.equal(history("aaaaaabbbbbb").at(-1), "b");
  assert.equal(history("aaaaaabbabbabba").at(-1), "a", "what comes and goes never holds");
  assert.equal(history("ababababab").at(-1), undefined);
  const coming = held(
    moments(10, 20, 30, 40, 50, 60, 70, 80),
    (i) => ({ verdict: "aaaaaabb"[i] }),
    HOLD,
  );
  assert.deepEqual(coming, { holds: { verdict: "a" }, next: { verdict: "b" }, since: 70 });
  assert.deepEqual(held([], () => ({ verdict: "" }), HOLD), {});
});

Deno.test("two changes of state lie at least 50 steps apart, whatever looks say", () => {
  const rng = new Rng(7);
  for (let round = 0; round < 50; round++) {
    const said = Array.from({ length: 60 }, () => rng.uniform() < 0.8 ? "a" : "bc"[rng.int(2)])
      .join("");
    const states = history(said);
    const changes = states.flatMap((state, i) =>
      i && state !== states[i - 1] ? [10 * (i + 1)] : []
    );
    changes.slice(1).forEach((step, i) =>
      assert.ok(step - changes[i] >= 50, `${said}: ${changes}`)
    );
  }
});

Deno.test("which lines are looked at does not depend on how many there are", () => {
  for (const every of [1, 7, 10, 50]) {
    const lines = Array.from({ length: 3000 }, (_, i) => ({ step: every * (i + 1) }));
    const all = looksOf(lines);
    for (const count of [1, 2, 99, 1000, 2999]) {
      assert.deepEqual(looksOf(lines.slice(0, count)), all.filter((i) => i < count));
    }
    all.slice(2).forEach((at, i) => {
      const [from, to] = [lines[all[i + 1]].step, lines[at].step];
      const wanted = Math.min(100, Math.max(10, from / 100));
      assert.ok(to - from >= wanted - every && to - from <= wanted * 1.1 + every, `${from} ${to}`);
    });
  }
});

/** A run whose loss hovers about where learning begins, logged every 5 steps: every batch says something else. */
function hovering(seed: number): MetricLine[] {
  const rng = new Rng(seed);
  return Array.from({ length: 90 }, (_, i) => {
    const step = 5 * (i + 1), own = 3.6 + 1.2 * (rng.uniform() - 0.5), kl = 1.8 * rng.uniform();
    return {
      step,
      epoch: step / 100,
      loss: own + kl,
      teacher_entropy: own,
      teacher_entropy_of_mean: own + 0.4 * rng.uniform(),
      kl_teacher_student: kl,
    };
  });
}

Deno.test("a verdict does not flip within 45 steps on noisy lines, where single looks do", () => {
  const settings = { outDim: 128, batchSize: 16 };
  let flips = 0;
  for (const seed of [1, 2]) {
    const lines = hovering(seed);
    const changes = (verdicts: string[]) =>
      verdicts.flatMap((verdict, i) => i && verdict !== verdicts[i - 1] ? [lines[i].step] : []);
    const upTo = lines.map((_, i) => lines.slice(0, i + 1));
    const raw = changes(upTo.map((part) => lookAt(part, settings).verdict));
    flips += raw.slice(1).filter((step, i) => step - raw[i] < 45).length;
    const said = changes(upTo.map((part) => diagnose(part, settings).verdict));
    said.slice(1).forEach((step, i) => assert.ok(step - said[i] >= 45, said.join()));
  }
  assert.ok(flips > 2, `${flips}`);
});

Deno.test("a recorded run whose single looks take trouble back after 15 steps is told of none", () => {
  const lines = recordingOf(flips), settings = flips.settings as DiagnosisSettings;
  const upTo = lines.map((_, i) => lines.slice(0, i + 1));
  const raw = upTo.map((part) => lookAt(part, settings).verdict);
  const changes = raw.flatMap((verdict, i) => i && verdict !== raw[i - 1] ? [lines[i].step] : []);
  assert.deepEqual(changes, [185, 200, 310]);
  for (const part of upTo) assert.equal(diagnose(part, settings).verdict, "too early to tell");
  const { evidence } = diagnose(lines, settings);
  assert.match(
    evidence.at(-1)!,
    /^since step 3\d0 the curves look like this: falling feature rank \(the/,
  );
});
