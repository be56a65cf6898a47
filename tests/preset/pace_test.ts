/** Runs under a budget, on a clock that the tests make. */
import assert from "node:assert/strict";
import { BudgetWatch, type Move, Pace } from "../../lib/preset/pace.ts";

Deno.test("Pace is the plan while no end is moved", () => {
  const pace = new Pace(7);
  assert.equal(pace.end, 7);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map((step) => pace.scheduleStep(step)), [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
  ]);
});

Deno.test("Pace goes on from where it is, never backwards, and ends at the end", () => {
  const cases: [number, Move[]][] = [
    [100, [{ step: 5, end: 40 }]],
    [100, [{ step: 5, end: 400 }]],
    [1000, [{ step: 50, end: 700 }, { step: 200, end: 900 }, { step: 600, end: 601 }]],
    [3, [{ step: 1, end: 1000 }]],
    [100, [{ step: 99, end: 100 }]],
  ];
  for (const [planned, moves] of cases) {
    const pace = new Pace(planned, moves), end = moves.at(-1)!.end;
    assert.equal(pace.end, end);
    const steps = Array.from({ length: end }, (_, step) => pace.scheduleStep(step));
    assert.equal(steps[0], 0);
    for (let i = 1; i < end; i++) assert.ok(steps[i] >= steps[i - 1], `step ${i}`);
    assert.ok(steps.every((step) => Number.isInteger(step) && step < planned));
    // The last value of a schedule, as near as its steps are to one another.
    assert.ok(steps[end - 1] >= planned - 1 - planned / (end - moves.at(-1)!.step));
    // Until the first move nothing has changed, and a move by itself jumps nowhere.
    const [first] = moves;
    for (let i = 0; i <= first.step; i++) assert.equal(steps[i], i);
    for (let n = 1; n <= moves.length; n++) {
      const [before, after] = [n - 1, n].map((n) => new Pace(planned, moves.slice(0, n)));
      const { step } = moves[n - 1];
      assert.ok(Math.abs(before.scheduleStep(step) - after.scheduleStep(step)) <= 1);
    }
  }
});

Deno.test("Pace is the same for a run that goes on: it depends on the moves alone", () => {
  const moves = [{ step: 10, end: 50 }, { step: 30, end: 80 }];
  const whole = new Pace(100, moves), early = new Pace(100, moves.slice(0, 1));
  for (let step = 0; step < 30; step++) {
    assert.equal(whole.scheduleStep(step), early.scheduleStep(step));
  }
});

/** Trains on a clock: seconds of each step, of what comes before and after. */
function simulate(
  { budget, planned, spent = 5, compile = 4, after = 20, seconds }: {
    budget: number;
    planned: number;
    spent?: number;
    compile?: number;
    after?: number;
    seconds: (step: number, time: number) => number;
  },
) {
  const watch = new BudgetWatch({ seconds: budget, spent, after });
  const moves: Move[] = [];
  let time = compile;
  for (let step = 0; step < new Pace(planned, moves).end;) {
    time += seconds(step, time);
    step++;
    const found = watch.look(step, time, new Pace(planned, moves).end);
    if (found) moves.push({ step, end: found.end });
  }
  const pace = new Pace(planned, moves);
  const last = seconds(pace.end - 1, time);
  return { all: spent + time + after * last, moves };
}

Deno.test("BudgetWatch keeps a budget within 15 %, however wrong the plan was", () => {
  const budget = 600;
  const speeds: Record<string, (step: number, time: number) => number> = {
    "as planned": () => 1,
    "half as fast": () => 2,
    "four times as fast": () => 0.25,
    "noisy": (step) => 1 + 0.4 * Math.sin(step),
    "slower from the middle on": (_, time) => time < 300 ? 1 : 1.8,
    "slower near the end": (_, time) => time < 450 ? 1 : 1.5,
    "faster from the middle on": (_, time) => time < 300 ? 1.5 : 0.7,
    "beside a job that comes and goes": (_, time) => time % 200 < 100 ? 1 : 1.6,
  };
  for (const [name, seconds] of Object.entries(speeds)) {
    const { all } = simulate({ budget, planned: 560, seconds });
    assert.ok(Math.abs(all / budget - 1) <= 0.15, `${name}: ${all} s`);
  }
});

Deno.test("BudgetWatch leaves a good plan alone, and says the speed that it found", () => {
  const { moves } = simulate({ budget: 600, planned: 560, seconds: () => 1 });
  assert.deepEqual(moves, []);
  const slow = simulate({ budget: 600, planned: 570, seconds: () => 2 });
  assert.equal(slow.moves.length, 1);
  const [{ step }] = slow.moves;
  assert.ok(step < 0.1 * 570, `moved at step ${step}, in the warm-up`);
  const watch = new BudgetWatch({ seconds: 100, spent: 0, after: 0 });
  assert.equal(watch.look(1, 30, 50), undefined); // compiling is no step
  assert.equal(watch.look(2, 34, 50), undefined);
  assert.deepEqual(watch.look(3, 38, 50), { secondsPerStep: 4, end: 3 + 14 });
});

Deno.test("BudgetWatch ends a run that is late with the next step", () => {
  const watch = new BudgetWatch({ seconds: 10, spent: 9, after: 5 });
  watch.look(1, 1, 100);
  assert.equal(watch.look(2, 2, 2), undefined); // it has ended
  assert.equal(watch.look(2, 5, 100)!.end, 3);
});
