/** The parts of a plan: memory by purpose, evaluation, time, what would help; and `deno task plan` as users start it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Config, parseConfig, parseOverrides, stringifyConfig } from "../../lib/config.ts";
import { encodePictures } from "../../lib/eval/encode.ts";
import { featureEncoder } from "../../lib/eval/feature_encoder.ts";
import { type Gpu, openGpu } from "../../lib/gpu.ts";
import type { Storage } from "../../lib/gpu/tensor.ts";
import { initialize, Parameters } from "../../lib/model.ts";
import { Trainer } from "../../lib/train.ts";
import small from "../../configs/small.yaml" with { type: "text" };
import tiny from "../../configs/tiny.yaml" with { type: "text" };
import { evaluationBytes } from "../../lib/plan/evaluation.ts";
import { autoBatch, checkFits } from "../../lib/plan/fit.ts";
import { faster } from "../../lib/plan/faster.ts";
import { kindsOfTemporaries } from "../../lib/plan/kinds.ts";
import { noise } from "../../lib/plan/noise.ts";
import { remedies, withBatch } from "../../lib/plan/remedies.ts";
import { planStep } from "../../lib/plan/step.ts";
import { stepTime } from "../../lib/plan/timing.ts";
import { bytesText, tensorText } from "../../lib/plan/words.ts";
import { Feed } from "../../lib/train/feed.ts";
import { feedOptionsOf, modelOf, readoutOf, trainerOptionsOf } from "../../lib/from_config.ts";
import { recordStep } from "../../lib/train.ts";
import { gpuTest, lacksAdapter } from "../support/gpu.ts";
import { lacks, testUnless } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const SIZES = { largestPixels: 1024 };
const config = (text: string, ...args: string[]): Config => parseConfig(text, parseOverrides(args));
const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** A GPU that binds 128 MiB, whatever the adapter. */
async function withPortable(fn: (gpu: Gpu) => Promise<void>): Promise<void> {
  const gpu = await openGpu({ limits: "portable" });
  try {
    await fn(gpu);
  } finally {
    gpu.destroy();
  }
}

for (const [name, text] of [["tiny", tiny], ["small", small]]) {
  for (
    const args of [
      [],
      ["--training.gradient_accumulation_steps", "2"],
      ["--training.recompute", "true"],
      ["--training.gradient_accumulation_steps", "2", "--training.recompute", "true"],
    ]
  ) {
    gpuTest(`planStep() tells bytes and FLOPs of ${[name, ...args].join(" ")}`, async (gpu) => {
      const of = config(text, ...args);
      const plan = await planStep(gpu, of, SIZES);
      const before = gpu.memory.liveBytes;
      using trainer = new Trainer(gpu, modelOf(of), trainerOptionsOf(of));
      using feed = new Feed(gpu, noise(of, SIZES), feedOptionsOf(of));
      using recorded = await recordStep(gpu, trainer, feed, { canaries: true });
      assert.equal(plan.total, gpu.memory.liveBytes - before);
      assert.equal(plan.bytes.reduce((sum, { bytes }) => sum + bytes, 0), plan.total);
      assert.deepEqual({ flops: plan.flops, dispatches: plan.dispatches }, recorded.cost);

      const bytes = new Map(plan.bytes.map(({ what, bytes }) => [what, bytes]));
      const { student, teacher } = {
        student: bytes.get("weights of the student"),
        teacher: bytes.get("weights of the teacher"),
      };
      assert.equal(student, teacher);
      assert.equal(bytes.get("moments of the optimiser"), 2 * student!);
      const { backbone, head } = plan.parameters;
      assert.ok(student! >= 4 * (backbone + head) && student! < 4.8 * (backbone + head));
      assert.ok(bytes.get("activations kept for the backward pass")! > 0);
      assert.ok(plan.largest.length === 3 && plan.largest[0].bytes >= plan.largest[1].bytes);
    });
  }
}

gpuTest("planStep() counts what frozen blocks save", async (gpu) => {
  const plan = (n: number) => planStep(gpu, config(small, "--model.freeze_blocks", `${n}`), SIZES);
  const plans = [await plan(0), await plan(2)];
  const of = (what: string) => plans.map(({ bytes }) => bytes.find((b) => b.what === what)!.bytes);
  const [all, some] = plans;
  assert.ok(some.flops < 0.75 * all.flops && some.peak < all.peak);
  assert.ok(some.checkpoint < all.checkpoint);
  const [gradients, fewer] = of("gradients");
  assert.deepEqual(of("moments of the optimiser"), [2 * gradients, 2 * fewer]);
  const trained = modelOf(config(small, "--model.freeze_blocks", "2")).specs()
    .filter(({ trainable }) => trainable !== false)
    .reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
  assert.ok(fewer >= trained && fewer < 1.2 * trained);
  const [whole, same] = of("weights of the teacher");
  assert.equal(whole, same);
});

Deno.test("kindsOfTemporaries() tells what lives at the peak, and adds up to what is taken", () => {
  const storage = (label: string): Storage => ({ bytes: 0, destroyed: false, label });
  const [view, kept, logits, later] = ["view", "tokens", "student_logits", "matmul"].map(storage);
  const temporaries = new Map([
    [view, { label: "view", bytes: 1, first: 0, last: 9 }],
    [kept, { label: "tokens", bytes: 10, first: 1, last: 8 }],
    [logits, { label: "student_logits", bytes: 100, first: 3, last: 5 }],
    [later, { label: "matmul", bytes: 1000, first: 5, last: 6 }],
    [storage("elsewhere"), { label: "matmul", bytes: 50, first: 6, last: 7 }],
  ]);
  assert.deepEqual(kindsOfTemporaries(temporaries, new Set([view]), 1200), [
    { what: "views", bytes: 1 },
    { what: "activations kept for the backward pass", bytes: 10 },
    { what: "logits, and the weights they are made with", bytes: 100 },
    { what: "working memory at the peak", bytes: 1000 },
    { what: "room left in shared buffers", bytes: 89 },
  ]);
});

const READ = [[], ["--evaluation.feature", "grid", "--evaluation.last_blocks", "2"]];
for (const args of READ) {
  testUnless(
    [lacksAdapter],
    `evaluationBytes() tells what an evaluation takes ${args.join(" ")}`,
    () =>
      withPortable(async (gpu) => {
        const of = config(small, ...args);
        const { backbone } = modelOf(of);
        const teacher = new Parameters(gpu, backbone.specs());
        teacher.load(initialize(backbone.specs(), 0));
        const picture = { width: 32, height: 32, data: new Uint8Array(4096).fill(128) };
        const dataset = {
          name: "greys",
          length: 130,
          largestPixels: 1024,
          picture: () => picture,
          id: String,
          skipped: [],
        };
        const before = gpu.memory.liveBytes;
        await encodePictures(
          gpu,
          dataset,
          Array.from({ length: 130 }, (_, i) => i),
          [featureEncoder(gpu, "teacher", backbone, teacher, readoutOf(of))],
          { batchSize: 128, seed: 0, views: false, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
        );
        const took = gpu.memory.peakBytes - before;
        const told = await evaluationBytes(gpu, of, 1024);
        assert.ok(Math.abs(told / took - 1) < 0.1, `told ${told} but it took ${took}`);
      }),
  );
}

testUnless(
  [lacksAdapter, lacks("sys")], // memoryLimit() asks the system
  "checkFits() names the tensors that the adapter refuses, and what helps",
  () =>
    withPortable(async (gpu) => {
      // Two global views of 8,192 pictures, 3 · 32² numbers each.
      const large = withBatch(config(tiny), 8192);
      await assert.rejects(checkFits(gpu, large, SIZES), (error: Error) => {
        assert.equal(error.name, "HatchlingError");
        assert.match(error.message, /201326592 bytes, more than the 134217728/);
        assert.match(
          error.message,
          /largest tensors are tensor\[16384, 3, 32, 32\] \(views, 192 MiB\), patches\[262144, 192\]/,
        );
        assert.match(
          error.message,
          /\n {2}data\.batch_size 4096 and training\.gradient_accumulation_steps 2: /,
        );
        return true;
      });
      const held = await planStep(gpu, large, SIZES);
      assert.ok(held.refused.length > 0);
      assert.equal(gpu.memory.liveBytes, 0);
      // Pictures that no buffer holds, and a parameter that cannot be bound.
      const pictures = { largestPixels: gpu.limits.maxBufferSize };
      await assert.rejects(
        checkFits(gpu, config(tiny), pictures),
        /pixels needs \d+ bytes in one buffer/,
      );
      const wide = config(tiny, "--model.projection_output_dim", "2000000");
      await assert.rejects(
        checkFits(gpu, wide, SIZES),
        /head\.last_layer\.weight_v .* cannot|at once/,
      );
    }),
);

gpuTest(
  "checkFits() refuses an evaluation that does not fit, and says which batch would",
  async (gpu) => {
    const batches: typeof config = (text, ...args) =>
      config(text, "--evaluation.batch_size", "512", ...args);
    const { total, evaluation, peak } = await planStep(gpu, batches(small), SIZES);
    assert.equal(peak, Math.max(total, evaluation.bytes + evaluation.beside));
    assert.ok(peak > total, "the test needs an evaluation that is larger than training");
    const limited = batches(small, "--device.memory_bytes", String(total));
    const error: Error = await checkFits(gpu, limited, SIZES).then(
      () => assert.fail(),
      (error) => error,
    );
    assert.match(error.message, /^Expected an evaluation of .*evaluation\.batch_size \d+: /s);
    const evaluating = {
      ...limited.evaluation,
      batch_size: +error.message.match(/size (\d+)/)![1],
    };
    await checkFits(gpu, { ...limited, evaluation: evaluating }, SIZES);
    const beside = await planStep(gpu, batches(small, "--evaluation.every_n_epochs", "1"), SIZES);
    assert.equal(beside.peak, total + evaluation.bytes);
  },
);

gpuTest("remedies() tells what each change saves, and only changes that do", async (gpu) => {
  const of = config(small);
  const plan = await planStep(gpu, of, SIZES);
  const found = await remedies(gpu, of, SIZES, plan, Infinity);
  const recompute = found.find(({ change }) => change === "training.recompute true")!;
  const then = await planStep(gpu, config(small, "--training.recompute", "true"), SIZES);
  assert.deepEqual(recompute, {
    change: "training.recompute true",
    helps: "training",
    bytes: then.total,
    saves: plan.total - then.total,
    fits: true,
  });
  assert.ok(found.every(({ saves }) => saves > 0));
  assert.ok(found.some(({ change }) => change === "evaluation.batch_size 64"));
});

gpuTest("autoBatch() takes the largest batch that fits", async (gpu) => {
  const of = config(tiny, "--evaluation.batch_size", "1");
  assert.equal((await autoBatch(gpu, of, SIZES, 64)).batchSize, 64);
  assert.equal((await autoBatch(gpu, of, SIZES, 5)).batchSize, 5);
  const { peak } = await planStep(gpu, withBatch(of, 16), SIZES);
  const limited = { ...of, device: { ...of.device, memory_bytes: peak } };
  assert.equal((await autoBatch(gpu, limited, SIZES, 64)).batchSize, 16);
  const none = { ...of, device: { ...of.device, memory_bytes: 1000 } };
  await assert.rejects(autoBatch(gpu, none, SIZES, 64), { name: "HatchlingError" });
}, ["sys"]);

for (
  const args of [[], [
    "--model.drop_path_rate",
    "0.1",
    "--training.gradient_accumulation_steps",
    "2",
  ]]
) {
  gpuTest(`stepTime() adds up pieces of ${["tiny", ...args].join(" ")}`, async (gpu) => {
    const time = await stepTime(gpu, config(tiny, ...args), SIZES);
    const { seconds, views, blocks, rest, update } = time;
    assert.ok(
      [seconds, views, blocks, update].every((s) => s > 0 && s < 600),
      JSON.stringify(time),
    );
    assert.ok(Math.abs(views + blocks + rest + update - seconds) < 1e-9);
    assert.equal(time.measuredWith, 8);
  });
}

Deno.test("bytesText() and tensorText() write numbers for people", () => {
  assert.equal(bytesText(1), "1 KiB");
  assert.equal(bytesText(1.5 * 2 ** 20), "1.5 MiB");
  assert.equal(bytesText(27 * 2 ** 20), "27 MiB");
  assert.equal(bytesText(1.5 * 2 ** 30), "1.50 GiB");
  const tensor = { what: "pre_gelu[8, 4]", bytes: 2048 };
  assert.equal(tensorText(tensor), "pre_gelu[8, 4] (hidden layer of an MLP, 2 KiB)");
  assert.equal(tensorText({ ...tensor, what: "x[1]" }, false), "x[1]");
});

gpuTest("remedies() changes nothing into what a configuration refuses", async (gpu) => {
  const of = config(
    tiny,
    "--augmentation.local_crop_size",
    "32",
    "--model.projection_output_dim",
    "2",
  );
  const found = await remedies(gpu, of, SIZES, await planStep(gpu, of, SIZES), Infinity);
  assert.ok(found.some(({ change }) => change.startsWith("augmentation.local_crop_size ")));
  for (const { change } of found) {
    const args = change.split(" and ").flatMap((one) => one.replace(/^/, "--").split(" "));
    config(tiny, "--augmentation.local_crop_size", "32", ...args); // throws where it is wrong
  }
});

gpuTest(
  "faster() names changes that a configuration takes, the one that helps most first",
  async (gpu) => {
    const cases = [
      ["small", config(small)],
      ["a named backbone", config("{}", "--data.batch_size", "1")],
      ["one head", config(small, "--model.heads", "1", "--augmentation.num_local_views", "0")],
      ["all blocks read", config(small, "--evaluation.last_blocks", "3")],
    ] as const;
    const found = new Map<string, string[]>();
    for (const [name, of] of cases) {
      const plan = await planStep(gpu, of, SIZES);
      const changes = await faster(gpu, of, SIZES, plan);
      assert.ok(changes.length >= 2, name);
      found.set(name, changes.map(({ change }) => change));
      for (const [i, { change, times, flops }] of changes.entries()) {
        assert.equal(times, plan.flops / flops);
        assert.ok(times >= 1.1 && (i === 0 || times <= changes[i - 1].times), change);
        // Its words make the configuration that was worked out.
        const args = change.split(" and ").flatMap((one) => `--${one}`.split(" "));
        const then = parseConfig(stringifyConfig(stripped(of)), parseOverrides(args));
        assert.equal((await planStep(gpu, then, SIZES)).flops, flops, change);
      }
    }
    const has = (name: string, change: string) => found.get(name)!.includes(change);
    assert.ok(has("small", "augmentation.global_crop_size 24 and augmentation.local_crop_size 8"));
    assert.ok(has("small", "augmentation.num_local_views 2") && has("small", "model.depth 1"));
    assert.ok(has("small", "model.patch_size 16"));
    assert.ok(has("small", "model.dim 32 and model.heads 1"));
    assert.ok(has("a named backbone", "model.backbone vit_tiny"));
    assert.ok(
      !found.get("one head")!.some((change) => /num_local_views|local_crop|heads/.test(change)),
    );
    assert.ok(!found.get("all blocks read")!.some((change) => /depth/.test(change)));
  },
);

/** Without what a backbone says by itself, so that another one can be named. */
function stripped(config: Config): Config {
  const { backbone } = config.model;
  if (backbone === "custom") return config;
  return { ...config, model: { ...config.model, dim: null, depth: null, heads: null } as never };
}

/** `deno task plan` in a process of its own. */
async function plan(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", path("scripts/plan.ts"), ...args],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
const needs = [lacksAdapter, lacks("run", "read", "env", "ffi", "sys")];

testUnless(needs, "plan tells a run in words", async () => {
  const { code, stdout, stderr } = await plan(path("configs/tiny.yaml"), "--pictures", "100");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^pictures +100, of 262144 pixels at most: 12 steps an epoch, 6 in all$/m);
  assert.match(stdout, /^time +\d\S* s a step, /m);
  assert.match(stdout, /MiB {4}activations kept for the backward pass$/m);
});

testUnless(needs, "plan --json tells a run to programs", async () => {
  const args = ["--pictures", "100", "--no-time", "--json", "--data.batch_size", "auto"];
  const { code, stdout, stderr } = await plan(path("configs/tiny.yaml"), ...args);
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout);
  assert.deepEqual(
    [found.batch_size, found.steps_per_epoch, found.steps, found.seconds_per_step],
    [16, 6, 6, null],
  );
  assert.equal(found.flops_per_epoch, 6 * found.flops);
  assert.ok(found.remedies.length && found.limits.binding > 0 && found.total > 1e6);
});

testUnless(needs, "plan warns of what is hardly meant, and goes on", async () => {
  const args = ["--pictures", "100", "--no-time", "--json", "--scheduler.warmup_epochs", "1"];
  const { code, stdout, stderr } = await plan(path("configs/tiny.yaml"), ...args);
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).steps, 6);
  assert.match(
    stderr,
    /^warning: --scheduler\.warmup_epochs: the warm-up takes the whole run of 1 epoch/m,
  );
  assert.match(
    stderr,
    /^warning: scheduler\.warmup_epochs: the warm-up takes 12 steps and training\.max_steps ends the run after 6: /m,
  );
});

testUnless(needs, "plan refuses what is wrong", async () => {
  const none = await plan(path("configs/tiny.yaml"), "--pictures", "0");
  assert.deepEqual([none.code, none.stdout], [1, ""]);
  assert.match(none.stderr, /whole number from 1 to 100000000: no set has more pictures/);
  const key = await plan(path("configs/tiny.yaml"), "--data.batch_sise", "4");
  assert.equal(key.code, 1);
  assert.match(key.stderr, /batch_size/);
  const tight = ["--pictures", "100", "--device.memory_bytes", "1000000"];
  const large = await plan(path("configs/tiny.yaml"), ...tight);
  assert.deepEqual([large.code, large.stdout], [1, ""]);
  assert.match(large.stderr, /at most \(device\.memory_bytes\)/);
});

testUnless(needs, "plan --budget tells what fits, and what is faster", async () => {
  const few = ["--pictures", "640", "--data.batch_size", "8", "--data.max_pixels", "1024"];
  const args = [path("configs/small.yaml"), ...few];
  const { code, stdout, stderr } = await plan(...args, "--budget", "20h");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^training\.num_epochs 4: kept, as it is set$/m);
  assert.match(stdout, /^budget +20 h has room for \d+ such steps and the evaluation/m);
  assert.match(stdout, /^faster by +each change by itself/m);
  assert.match(stdout, /^ +1\.\d × {2}augmentation\.num_local_views 2: \d+ steps in the budget$/m);
  const both = await plan(...args, "--budget", "1h", "--no-time");
  assert.equal(both.code, 1);
  assert.match(both.stderr, /^error: Expected --budget or --no-time but found both/m);
});

testUnless(
  needs,
  "plan tells what preset: auto chooses, and of a budget that is too short",
  async () => {
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    try {
      await Deno.writeTextFile(
        file,
        "preset: auto\ndevice: {memory_bytes: 8000000000}\ndata: {max_pixels: 1024}\n",
      );
      const { stdout, stderr } = await plan(file, "--pictures", "300", "--no-time", "--json");
      const { chosen, batch_size } = JSON.parse(stdout);
      assert.equal(batch_size, 64);
      const batch = chosen.find(({ key }: { key: string }) => key === "data.batch_size");
      assert.equal(batch.value, 64);
      assert.ok(stderr.includes(`${batch.key} 64: ${batch.reason}`));
      const short = await plan(file, "--pictures", "3000", "--budget", "1s", "--json");
      assert.equal(short.code, 0, short.stderr);
      assert.match(
        short.stderr,
        /^warning: Expected a budget of at least one epoch, .* found 1 s/m,
      );
      const { budget, faster } = JSON.parse(short.stdout);
      assert.deepEqual(budget.seconds, 1);
      assert.ok(budget.steps <= faster[0].steps && faster[0].times > 1.5);
    } finally {
      await Deno.remove(file);
    }
  },
);
