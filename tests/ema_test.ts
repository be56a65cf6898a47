import assert from "node:assert/strict";
import { emaUpdate } from "../lib/ema.ts";
import { StepScalars } from "../lib/gpu.ts";
import { gpuTest } from "./support/gpu.ts";
import { assertClose } from "./support/numbers.ts";
import { assertPaddingZero, chunked, randomValues, SPECS } from "./support/parameters.ts";

gpuTest("emaUpdate() equals f64 over several steps", async (gpu) => {
  const [teacher, student] = [chunked(gpu), chunked(gpu)];
  const scalars = new StepScalars(gpu, ["other", "momentum", "momentumRest"]);
  const expected = new Map([...randomValues(1)].map(([name, v]) => [name, Float64Array.from(v)]));
  teacher.load(randomValues(1));
  for (const [step, m] of [0.996, 0, 0.5, 0.9999, 0.999999].entries()) {
    const values = randomValues(2 + step);
    student.load(values);
    scalars.write({ other: 9, momentum: m, momentumRest: 1 - m });
    emaUpdate(gpu, teacher, student, scalars.at("momentum"));
    const found = await teacher.save();
    for (const { name } of SPECS) {
      const t = expected.get(name)!, s = values.get(name)!;
      t.forEach((v, i) => t[i] = m * v + (1 - m) * s[i]);
      assertClose(found.get(name)!, t, 3e-7, `${name} at m ${m}`);
    }
    assert.deepEqual(await student.save(), values, "the student stays");
  }
  await assertPaddingZero(gpu, teacher, teacher.data, "teacher");
  for (const part of [teacher, student, scalars]) part.destroy();
});

gpuTest("emaUpdate() keeps the teacher at m = 1, takes the student at m = 0", async (gpu) => {
  const [teacher, student] = [chunked(gpu), chunked(gpu)];
  teacher.load(randomValues(1));
  student.load(randomValues(2));
  for (const [m, expected] of [[1, randomValues(1)], [0, randomValues(2)]] as const) {
    const table = gpu.tensor(Float32Array.of(m, 1 - m));
    emaUpdate(gpu, teacher, student, { table, index: 0 });
    assert.deepEqual(await teacher.save(), expected);
    table.destroy();
  }
  for (const part of [teacher, student]) part.destroy();
});

gpuTest("emaUpdate() does nothing while the flag is set", async (gpu) => {
  const [teacher, student] = [chunked(gpu), chunked(gpu)];
  teacher.load(randomValues(1));
  student.load(new Map([...randomValues(2)].map(([name, v]) => [name, v.fill(NaN)])));
  const table = gpu.tensor(Float32Array.of(0.5, 0.5));
  const flag = gpu.tensor(Uint32Array.of(3, 0));
  emaUpdate(gpu, teacher, student, { table, index: 0 }, flag);
  assert.deepEqual(await teacher.save(), randomValues(1));
  for (const part of [teacher, student, table, flag]) part.destroy();
});
