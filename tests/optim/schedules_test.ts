import { parseConfig } from "../../lib/config.ts";
import { scheduleOf } from "../../lib/from_config.ts";
import assert from "node:assert/strict";
import {
  constantSchedule,
  cosineSchedule,
  cosineValues,
  linearSchedule,
  scaledLr,
  teacherTempSchedule,
  teacherTempValues,
} from "../../lib/optim/schedules.ts";
import lr from "../golden/golden_public/schedule_lr.json" with { type: "json" };
import temp from "../golden/golden_public/schedule_teacher_temp.json" with { type: "json" };

const close = (found: ArrayLike<number>, expected: number[]) => {
  assert.equal(found.length, expected.length);
  expected.forEach((x, i) => {
    assert(Math.abs(found[i] - x) <= 1e-12 * Math.abs(x), `${i}: ${found[i]} instead of ${x}`);
  });
};

const options = { base: 1, final: 0.1, epochs: 4, itersPerEpoch: 5, warmupEpochs: 2 };

Deno.test("cosineValues() agrees with values computed by numpy", () => {
  const { base, final, epochs, iters_per_epoch, warmup_epochs } = lr.config.args;
  close(
    cosineValues({
      base,
      final,
      epochs,
      itersPerEpoch: iters_per_epoch,
      warmupEpochs: warmup_epochs,
    }),
    lr.values,
  );
});

Deno.test("teacherTempValues() agrees with values computed by numpy", () => {
  const { start, final, warmup_epochs, epochs } = temp.config.args;
  close(teacherTempValues({ start, final, warmupEpochs: warmup_epochs, epochs }), temp.values);
});

Deno.test("cosineSchedule() reaches its peak at the end of the warm-up and again after it", () => {
  const at = cosineSchedule(options);
  assert.deepEqual([at(0), at(9), at(10)], [0, 1, 1]);
  assert(at(8) < 1 && at(11) < 1);
  assert(at(19) > 0.1);
  assert.equal(cosineSchedule({ ...options, warmupStart: 0.5 })(0), 0.5);
});

Deno.test("cosineSchedule() is its base alone without warm-up and with one step", () => {
  close(cosineValues({ base: 3, final: 0, epochs: 1, itersPerEpoch: 1 }), [3]);
  close(cosineValues({ base: 3, final: 0, epochs: 0, itersPerEpoch: 9 }), []);
  close(cosineValues({ base: 3, final: 0, epochs: 1, itersPerEpoch: 1, warmupEpochs: 1 }), [0]);
  close(cosineValues({ base: 3, final: 0, epochs: 1, itersPerEpoch: 2, warmupEpochs: 1 }), [0, 3]);
});

Deno.test("schedules throw when the warm-up is too long or the step outside of the run", () => {
  assert.throws(() => cosineSchedule({ ...options, warmupEpochs: 5 }), /warmupEpochs .* 0 to 4/);
  assert.throws(() => cosineSchedule({ ...options, itersPerEpoch: 1.5 }), /itersPerEpoch/);
  for (const step of [-1, 20, 0.5, NaN]) {
    assert.throws(() => cosineSchedule(options)(step), /step .* 0 to 19/);
  }
  const rise = { start: 0.02, final: 0.04, warmupEpochs: 3, epochs: 3 };
  assert.throws(() => teacherTempSchedule({ ...rise, warmupEpochs: 4 }), /warmupEpochs/);
  assert.throws(() => teacherTempSchedule(rise)(3), /epoch .* 0 to 2/);
});

Deno.test("scaledLr() scales with the batch", () => assert.equal(scaledLr(5e-4, 64), 1.25e-4));

Deno.test("linearSchedule() and constantSchedule() begin as the cosine does, and go their own way", () => {
  const of = { base: 1, final: 0.2, epochs: 4, itersPerEpoch: 5, warmupEpochs: 2 };
  const [cosine, line, flat] = [cosineSchedule(of), linearSchedule(of), constantSchedule(of)];
  for (let step = 0; step < 10; step++) {
    assert.equal(line(step), cosine(step));
    assert.equal(flat(step), cosine(step));
  }
  for (let step = 10; step < 20; step++) {
    close([line(step)], [1 - 0.8 * (step - 10) / 10]);
    assert.equal(flat(step), 1);
  }
  for (const at of [line, flat]) assert.throws(() => at(20), /step .* 0 to 19/);
});

Deno.test("scheduler.scheduler and head_warmup_epochs decide the rates of a step", () => {
  const at = (text: string) =>
    scheduleOf(parseConfig(`{training: {num_epochs: 10, head_warmup_epochs: 3}, ${text}}`), 10);
  const rates = "optimizer: {lr: 1, lr_scale_by_batch: false}";
  const peak = (name: string) =>
    at(`${rates}, scheduler: {scheduler: ${name}, warmup_epochs: 4, min_lr: 0.5}`);
  assert.deepEqual(["cosine_warmup", "linear", "constant", "cosine"].map((n) => peak(n)(0).lr), [
    ...[0, 0, 0],
    1,
  ]);
  assert.deepEqual(
    ["cosine_warmup", "linear", "constant"].map((n) => peak(n)(70).lr),
    [
      ...[0.75, 0.75],
      1,
    ].map((x, i) => i === 0 ? 0.5 + 0.5 * 0.5 * (1 + Math.cos(Math.PI / 2)) : x),
  );
  assert.deepEqual([29, 30].map((step) => peak("linear")(step).holdBackbone), [true, false]);
});
