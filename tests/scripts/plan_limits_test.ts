/** Configurations that no machine can run: `train` and `plan` say so at once, and take nothing for it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lacksAdapter } from "../support/gpu.ts";
import { lacks, testUnless, withFolder } from "../support/permissions.ts";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const needs = [lacks("run", "read", "write", "env")];

/** Seconds until an answer: many times what it takes, for slow and busy machines. */
const PATIENCE = 30;
/** MiB that a command may hold. */
const MOST_MIB = 300;

/** Runs a command that has to fail soon, and gives what it says. */
async function refusal(script: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", `--preload=${path("tests/support/peak.ts")}`],
      ...[path(script), ...args],
    ],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(PATIENCE * 1000),
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert.deepEqual([code, stdout.length], [1, 0], said);
  const peak = /^peak (\d+) KiB$/m.exec(said);
  if (Deno.build.os === "linux") assert(Number(peak?.[1]) < MOST_MIB * 1024, said);
  assert.doesNotMatch(said, /Uncaught|^\s+at /m);
  return said.replace(/^peak .*\n/m, "");
}

/** Values that cannot be, and what is expected instead. */
const SINGLE: [key: string, value: string, expected: string][] = [
  ["data.batch_size", "1000000000", "an integer from 1 to 65535 or auto"],
  ["data.cache_bytes", "9007199254740991", "an integer from 0 to 1099511627776"],
  ["data.max_pixels", "1000000000000", "an integer from 1 to 268435456"],
  ["data.num_workers", "1000000000", "an integer from 1 to 1024"],
  ["augmentation.global_crop_size", "100000", "an integer from 1 to 4096"],
  ["augmentation.num_local_views", "100000", "an integer from 0 to 1024"],
  ["model.depth", "100000", "an integer from 1 to 256 or null"],
  ["model.dim", "1000000", "an integer from 1 to 65536 or null"],
  ["model.mlp_ratio", "1e9", "a number > 0 and ≤ 1024"],
  ["model.patch_size", "100000", "an integer from 1 to 4096"],
  ["model.projection_hidden_dim", "1000000", "an integer from 1 to 65536"],
  ["model.projection_layers", "1000000", "an integer from 1 to 64"],
  ["model.projection_output_dim", "1000000000", "an integer from 2 to 4194304"],
  ["training.gradient_accumulation_steps", "1000000000", "an integer from 1 to 65536"],
  ["training.num_epochs", "9007199254740991", "an integer from 1 to 1000000"],
  ["evaluation.batch_size", "1000000000", "an integer from 1 to 65535"],
  ["device.watchdog_seconds", "1e300", "a number > 0 and ≤ 1000000"],
];

for (const script of ["plan", "train"]) {
  testUnless(needs, `${script} refuses values that cannot be, at once`, async () => {
    await withFolder(async (folder) => {
      const args = SINGLE.map(([key, value]) => `--${key}=${value}`);
      const out = script === "train" ? ["--out", join(folder, "run")] : [];
      const said = await refusal(
        `scripts/${script}.ts`,
        path("configs/tiny.yaml"),
        ...out,
        ...args,
      );
      for (const [key, , expected] of SINGLE) {
        assert(said.includes(`--${key}: expected ${expected} but found `), `${key}: ${said}`);
      }
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    });
  });
}

const TOGETHER: [args: string[], expected: RegExp][] = [
  [
    ["--model.dim", "16384", "--model.depth", "256", "--model.heads", "16"],
    /model\.dim: expected a model of 1 TiB at most, .* but found 15 TiB: it has 8\.25e\+11 parameters/,
  ],
  [
    ["--data.batch_size", "30000", "--augmentation.num_local_views", "1000"],
    /data\.batch_size: expected at most 65, as augmentation\.num_local_views is 1000, but found 30000/,
  ],
  [
    ["--data.batch_size", "30000", "--augmentation.global_crop_size", "4096"],
    /data\.batch_size: expected views and their tokens of 1 TiB at most but found /,
  ],
];

for (const [args, expected] of TOGETHER) {
  testUnless(needs, `plan refuses ${args.join(" ")} at once`, async () => {
    assert.match(await refusal("scripts/plan.ts", path("configs/tiny.yaml"), ...args), expected);
  });
}

testUnless(
  [...needs, lacksAdapter],
  "plan refuses at once what is far too large for this machine",
  async () => {
    const said = await refusal(
      "scripts/plan.ts",
      ...[path("configs/tiny.yaml"), "--pictures", "100", "--device.memory_bytes", "1000000000"],
      ...["--model.dim", "4096", "--model.depth", "200", "--model.heads", "16"],
    );
    assert.match(
      said,
      /^error: Expected a run of 954 MiB on the GPU at most \(device\.memory_bytes\) but this one needs more than \d+\.\d+ GiB: /m,
    );
  },
);

testUnless([...needs, lacksAdapter], "train warns of what is hardly meant", async () => {
  await withFolder(async (folder) => {
    const said = await refusal(
      "scripts/train.ts",
      ...[path("configs/tiny.yaml"), "--out", join(folder, "run")],
      ...["--loss.teacher_temp", "0.2", "--data.path", join(folder, "none")],
    );
    assert.match(
      said,
      /^warning: --loss\.teacher_temp: 0\.2 is above loss\.student_temp \(0\.1\): .*\n(.*\n)*error: /,
    );
  });
});

testUnless(needs, "plan counts thousands of unknown keys, at once", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "many.yaml");
    const keys = Array.from({ length: 8000 }, (_, i) => `  key${i}: 1\n`);
    await Deno.writeTextFile(file, `data:\n${keys.join("")}`);
    const said = (await refusal("scripts/plan.ts", file)).trimEnd().split("\n");
    assert.deepEqual([said.length, said.at(-1)], [21, "and 7,980 more"]);
    await Deno.writeTextFile(file, `data:\n${keys.join("").repeat(100)}`);
    assert.match(
      await refusal("scripts/plan.ts", file),
      /expected at most 262144 bytes but found /,
    );
  });
});
