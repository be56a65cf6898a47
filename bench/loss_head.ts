/**
 * Memory and time of the last layer with its loss, as training does it (`forwardHead`, in chunks over K
 * where all of them would take too much) against unfused (all logits, then the loss, then the layer's
 * backward pass): `deno task bench:loss [--rows 640] [--k 4096,16384,65536]`.
 *
 * Both are recorded programs. Bytes are what the program allocates on the adapter for one pass (logits, gradients,
 * normalised weights, statistics), weights and their gradients not included. Times are medians over
 * interleaved runs, as a ratio in one process.
 *
 * @module
 */
import { Command } from "commander";
import { ensureAdapter } from "../lib/adapter.ts";
import { type Gpu, openGpu, type Program, record, type Tensor } from "../lib/gpu.ts";
import { DinoLoss } from "../lib/loss.ts";
import { weightNormLinear } from "../lib/ops.ts";
import { Rng } from "../lib/rng.ts";
import { median } from "./timing.ts";

const { rows, k, repeats, limits } = new Command("bench:loss")
  .option("--rows <n>", "student rows: views × batch; 640 is ViT-S/16's 10 × 64", Number, 640)
  .option("--k <list>", "output dimensions", "4096,16384,65536")
  .option("--repeats <n>", "timed runs of each", Number, 5)
  .option("--limits <which>", "adapter or portable", "portable")
  .parse(["deno", "bench:loss", ...Deno.args])
  .opts<{ rows: number; k: string; repeats: number; limits: "adapter" | "portable" }>();

const VIEWS = 10, GLOBALS = 2, WIDTH = 256;

/** Student, teacher and both layers. */
interface Inputs {
  x: Tensor;
  teacherX: Tensor;
  v: Tensor;
  teacherV: Tensor;
  g: Tensor;
  grad: Tensor;
}

function inputsOf(gpu: Gpu, outDim: number): Inputs {
  const rng = new Rng(1);
  const make = (rows: number, width: number, scale: number) => {
    const values = Float32Array.from({ length: rows * width }, () => scale * rng.normal());
    return gpu.tensor(values, [rows, width]);
  };
  const unit = 1 / Math.sqrt(WIDTH);
  return {
    x: make(rows, WIDTH, unit),
    teacherX: make(rows * GLOBALS / VIEWS, WIDTH, unit),
    v: make(outDim, WIDTH, unit),
    teacherV: make(outDim, WIDTH, unit),
    g: gpu.tensor(new Float32Array(outDim).fill(1), [outDim, 1]),
    grad: gpu.persistent([outDim, WIDTH]),
  };
}

async function programOf(gpu: Gpu, loss: DinoLoss, t: Inputs, chunked: boolean) {
  const before = gpu.memory.liveBytes;
  const program: Program<{ metrics: Tensor; dx: Tensor }> = await record(gpu, () => {
    const weightV = { data: t.v, grad: t.grad }, weightG = { data: t.g };
    const teacherV = { data: t.teacherV };
    if (chunked) {
      const { metrics, gradBottleneck } = loss.forwardHead(
        { bottleneck: t.x, lastLayer: { weightV, weightG } },
        { bottleneck: t.teacherX, lastLayer: { weightV: teacherV, weightG } },
      );
      return { metrics, dx: gradBottleneck };
    }
    const teacher = weightNormLinear(gpu, t.teacherX, teacherV, weightG);
    const student = weightNormLinear(gpu, t.x, weightV, weightG);
    const { metrics, gradStudent } = loss.forward(student.y, teacher.y);
    return { metrics, dx: student.backward(gradStudent) };
  });
  return { program, bytes: gpu.memory.liveBytes - before };
}

const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1).padStart(8);

await ensureAdapter({ log: () => {} });
const gpu = await openGpu({ limits });
const binding = gpu.limits.maxStorageBufferBindingSize / 2 ** 20;
console.log(
  `${gpu.info.description}, bindings up to ${binding} MiB; ${rows} student and ${
    rows * GLOBALS / VIEWS
  } teacher rows, width ${WIDTH}, medians of ${repeats}\n`,
);
console.log("      K   path          MiB    ms    MiB ratio  time ratio");
for (const outDim of k.split(",").map(Number)) {
  const inputs = inputsOf(gpu, outDim);
  const loss = new DinoLoss({ gpu, outDim, nCrops: VIEWS, nGlobalCrops: GLOBALS });
  const runs = [];
  for (const chunked of [false, true]) {
    try {
      runs.push({ chunked, ...await programOf(gpu, loss, inputs, chunked), times: [] as number[] });
    } catch (error) {
      console.log(`${outDim}`.padStart(7), `  unfused   ${(error as Error).message}`);
    }
  }
  for (let i = 0; i <= repeats; i++) {
    for (const run of runs) {
      const start = performance.now();
      run.program.run();
      await gpu.idle();
      if (i > 0) run.times.push(performance.now() - start); // the first run warms up
    }
  }
  const base = runs.find((run) => !run.chunked);
  for (const run of runs) {
    const ms = median(run.times);
    console.log(
      `${outDim}`.padStart(7),
      run.chunked ? "  chunked " : "  unfused ",
      mebibytes(run.bytes),
      ms.toFixed(0).padStart(6),
      base ? (run.bytes / base.bytes).toFixed(2).padStart(10) : "          ",
      base ? (ms / median(base.times)).toFixed(2).padStart(11) : "",
    );
    run.program.destroy();
  }
  for (const t of [...Object.values(inputs), loss]) t.destroy();
}
gpu.destroy();
