import assert from "node:assert/strict";
import { type Gpu, record, type Tensor } from "../../lib/gpu.ts";
import { attention } from "../../lib/ops/attention.ts";
import { layerNorm } from "../../lib/ops/layer_norm.ts";
import { linear } from "../../lib/ops/linear.ts";
import { matmul } from "../../lib/ops/matmul.ts";
import { columnSum } from "../../lib/ops/reduce.ts";
import { softmax } from "../../lib/ops/softmax.ts";
import { gpuTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";

const [TOKENS, DIM] = [5, 6];

/** Weights of a small block: everything a program must not touch the memory of. */
function block(gpu: Gpu) {
  const weight = (seed: number, ...shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { data: gpu.tensor(normals(size, seed), shape), grad: gpu.persistent(shape) };
  };
  return {
    x: gpu.tensor(normals(2 * TOKENS * DIM, 1), [2, TOKENS, DIM], "x"),
    norm: [weight(2, DIM), weight(3, DIM)] as const,
    qkv: [weight(4, 3 * DIM, DIM), weight(5, 3 * DIM)] as const,
    out: [weight(6, DIM, DIM), weight(7, DIM)] as const,
  };
}

/** Forward and backward of that block: a chain with values that the backward pass keeps alive. */
function step(gpu: Gpu, { x, norm, qkv, out }: ReturnType<typeof block>): Tensor[] {
  for (const w of [...norm, ...qkv, ...out]) Object.assign(w, { filled: false });
  const n = layerNorm(gpu, x, ...norm);
  const p = linear(gpu, n.y, ...qkv);
  const a = attention(gpu, p.y.view([2, TOKENS, 3 * DIM]), 2);
  const o = linear(gpu, a.y, ...out, { residual: x });
  const s = softmax(gpu, o.y);
  const dy = s.backward(o.y);
  const dx = n.backward(p.backward(a.backward(o.backward(dy)!))!, dy);
  return [s.y, dx, columnSum(gpu, dx)];
}

const tensorsOf = ({ x, norm, qkv, out }: ReturnType<typeof block>) => [
  x,
  ...[...norm, ...qkv, ...out].flatMap((w) => [w.data, w.grad]),
];

gpuTest("record() and run() give the bits of the eager run, every time", async (gpu) => {
  const weights = block(gpu);
  const grads = tensorsOf(weights);
  const eager = gpu.scope(() => step(gpu, weights));
  const expected = await gpu.read([...eager, ...grads]);
  for (const t of eager) t.destroy();

  const program = await record(gpu, () => step(gpu, weights));
  for (let run = 0; run < 3; run++) {
    for (const t of grads.slice(1).filter((_, i) => i % 2 === 1)) t.write(new Float32Array(t.size));
    program.run();
    assert.deepEqual(await gpu.read([...program.outputs, ...grads]), expected, `run ${run}`);
  }
  // Outputs survive whatever else runs.
  gpu.scope(() => void step(gpu, weights));
  assert.deepEqual(await gpu.read(program.outputs), expected.slice(0, 3));
  // New input, new output.
  weights.x.write(normals(weights.x.size, 99));
  program.run();
  const again = gpu.scope(() => step(gpu, weights));
  assert.notDeepEqual(await gpu.read(program.outputs), expected.slice(0, 3));
  assert.deepEqual(await gpu.read(program.outputs), await gpu.read(again));
  for (const t of [...again, ...tensorsOf(weights)]) t.destroy();
  program.destroy();
});

gpuTest("a program's run allocates nothing, and destroy() frees all of it", async (gpu) => {
  const weights = block(gpu);
  const before = gpu.memory.liveBytes;
  const program = await record(gpu, () => step(gpu, weights));
  const recorded = gpu.memory.liveBytes;
  assert.equal(recorded - before, program.temporaryBytes);
  assert.ok(program.temporaryBytes < program.unplannedBytes, "no slot is shared");
  for (let run = 0; run < 3; run++) program.run();
  await gpu.idle();
  assert.equal(gpu.memory.liveBytes, recorded);
  assert.equal(gpu.memory.peakBytes >= recorded, true);
  program.destroy();
  program.destroy();
  assert.equal(gpu.memory.liveBytes, before);
  for (const t of tensorsOf(weights)) t.destroy();
});

gpuTest(
  "record() runs nothing; memory filled while recording belongs to the program",
  async (gpu) => {
    const before = gpu.memory.liveBytes;
    const sums = gpu.persistent([2]);
    const program = await record(gpu, () => {
      const constant = gpu.tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
      columnSum(gpu, constant, { out: sums, accumulate: true });
      return { rows: columnSum(gpu, constant) };
    });
    assert.deepEqual([...await sums.read()], [0, 0]);
    program.run();
    program.run();
    assert.deepEqual([...await sums.read()], [8, 12]);
    assert.deepEqual([...await program.outputs.rows.read()], [4, 6]);
    program.destroy();
    sums.destroy();
    assert.equal(gpu.memory.liveBytes, before);
  },
);

gpuTest("Program knows its dispatches, FLOPs and bytes by kernel", async (gpu) => {
  const weights = block(gpu);
  const program = await record(gpu, () => step(gpu, weights));
  const costs = program.costs();
  assert.equal(costs.reduce((n, c) => n + c.dispatches, 0), program.length);
  assert.equal(costs.reduce((n, c) => n + c.flops, 0), program.flops);
  // Whichever kernels make the products, without the sums of their parts.
  const products = costs.filter(({ name }) => /^matmul(?!_reduce)/.test(name));
  const sum = (key: "dispatches" | "flops") => products.reduce((total, c) => total + c[key], 0);
  const [rows, qkv, out] = [2 * TOKENS, 3 * DIM * DIM, DIM * DIM];
  assert.deepEqual([sum("dispatches"), sum("flops")], [6, 3 * 2 * rows * (qkv + out)]);
  assert.ok(costs.every((c, i) => i === 0 || costs[i - 1].flops >= c.flops), "largest first");
  program.destroy();
  for (const t of tensorsOf(weights)) t.destroy();
});

gpuTest("record() refuses a recording within a recording, and ends after an error", async (gpu) => {
  const before = gpu.memory.liveBytes;
  const inner: Promise<void>[] = [];
  const program = await record(gpu, () => {
    inner.push(assert.rejects(record(gpu, () => {}), /no other recording but one is under way/));
  });
  await inner[0];
  program.destroy();
  await assert.rejects(
    record(gpu, () => {
      gpu.tensor(Float32Array.of(1, 2));
      throw new Error("inside");
    }),
    /inside/,
  );
  assert.equal(gpu.recorder, undefined);
  assert.equal(gpu.memory.liveBytes, before, "what the failed recording allocated is still there");
});

gpuTest("record() refuses a tensor that was destroyed, and leaves nothing behind", async (gpu) => {
  const x = gpu.tensor(Float32Array.of(1, 2), [1, 2], "gone");
  const before = gpu.memory.liveBytes - x.storage.bytes;
  await assert.rejects(
    record(gpu, () => {
      const y = columnSum(gpu, x);
      x.destroy();
      return y;
    }),
    /gone\[1, 2\] has no memory: it was destroyed/,
  );
  assert.equal(gpu.memory.liveBytes, before);
});

gpuTest("Program.runWatched() does what run() does, and tells how far it is", async (gpu) => {
  const x = gpu.tensor(Float32Array.of(1, -2, 3, -4), [2, 2]);
  const program = await record(
    gpu,
    () => ({ y: softmax(gpu, matmul(gpu, columnSum(gpu, x).view([1, 2]), x)).y }),
  );
  const seen: number[][] = [];
  await program.runWatched({ onProgress: (...progress) => void seen.push(progress) });
  assert.deepEqual(seen.at(-1), [3, 3]);
  const first = await program.outputs.y.read();
  program.run();
  assert.deepEqual(await program.outputs.y.read(), first);
  for (const t of [program, x]) t.destroy();
});

gpuTest(
  "Program.runWatched() does what run() does, with a wait whenever much is queued, until told to stop",
  async (gpu) => {
    const weights = block(gpu);
    const grads = tensorsOf(weights);
    const program = await record(gpu, () => step(gpu, weights));
    program.run();
    const expected = await gpu.read(program.outputs);
    let asked = 0;
    assert.equal(await program.runWatched({ goOn: () => ++asked > 0 }), true);
    assert.deepEqual(await gpu.read(program.outputs), expected);
    const quick = asked;
    // Whoever has work for seconds in front of it is asked before any more comes.
    gpu.pace.queued = 1e4;
    asked = 0;
    assert.equal(await program.runWatched({ goOn: () => ++asked > 0 }), true);
    assert.deepEqual(await gpu.read(program.outputs), expected);
    assert.equal(asked, quick + 1);
    gpu.pace.queued = 1e4;
    asked = 0;
    assert.equal(await program.runWatched({ goOn: () => ++asked < 2 }), false);
    assert.equal(asked, 2);
    for (const t of [program, ...grads]) t.destroy();
  },
);

gpuTest("record() and Gpu.scope() refuse async functions", async (gpu) => {
  const later = () => Promise.resolve(1);
  await assert.rejects(record(gpu, later), /record: expected a function that is not async/);
  assert.throws(() => gpu.scope(later), /scope: expected a function that is not async/);
  assert.equal(gpu.recorder, undefined);
});

gpuTest(
  "a program waits for the host where it was recorded to, and where it is told to",
  async (gpu) => {
    const x = gpu.tensor(new Float32Array([1, 2, 3, 4]), [2, 2]);
    const given = gpu.persistent([2, 2]);
    const seen: number[][] = [];
    const program = await record(gpu, () => {
      const y = matmul(gpu, x, x);
      // Nothing dispatched uses y later, and its memory is kept for who reads it.
      gpu.recorder!.pause(async () => {
        const [values] = await gpu.read([y]);
        seen.push([...values]);
        given.write(values.map((value) => -value));
      }, [y]);
      const z = matmul(gpu, given, x);
      return matmul(gpu, z, x);
    });
    assert.equal(program.lastUse(given), 2);
    const other = gpu.persistent([1]);
    assert.equal(program.lastUse(other), 0);
    program.pauseAt(program.length, async () => void seen.push([...await program.outputs.read()]));
    assert.throws(() => program.run(), /Expected a program without pauses for run\(\).*runWatched/);
    for (let i = 0; i < 2; i++) {
      assert(await program.runWatched());
      // x² = [7 10; 15 22]; the result is −x⁴.
      assert.deepEqual(seen.splice(0), [[7, 10, 15, 22], [-199, -290, -435, -634]]);
    }
    for (const part of [program, x, given, other]) part.destroy();
  },
);
