/** `deno task doctor` as users start it: on the machine, and on the folders of runs. */
import assert from "node:assert/strict";
import { loadMpi } from "../../lib/comm/library.ts";
import { mpiText } from "../../scripts/doctor/machine.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { png, put } from "../data/support.ts";
import { type Recording, recordingOf } from "../diagnosis/recordings.ts";
import healthy from "../diagnosis/healthy.json" with { type: "json" };
import onePeak from "../diagnosis/one_peak.json" with { type: "json" };
import { lacksAdapter } from "../support/gpu.ts";
import { lacksMpirun } from "../support/mpirun.ts";
import {
  folderTest,
  lacks,
  permissionTest,
  testUnless,
  withFolder,
} from "../support/permissions.ts";
import { path } from "../support/runs.ts";
import { script } from "../support/scripts.ts";

const doctor = (...args: string[]) => script("doctor", ".", args);

for (const limits of ["adapter", "portable"]) {
  const name = `doctor names the device and finds its kernels right with --limits ${limits}`;
  testUnless([lacksAdapter, lacks("run", "read", "env", "ffi")], name, async () => {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    const { code, stdout, stderr } = await doctor("--limits", limits);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(`Deno               ${Deno.version.deno},`), stdout);
    assert.ok(stdout.includes(adapter!.info.description), stdout);
    const mpi = lacksMpirun()
      ? /^MPI +none that can be used, .* needs none: /
      : /^MPI +Open MPI v\d+\.\d+\.\d+/;
    assert.match(stdout, new RegExp(mpi.source, "m"));
    assert.match(stdout, /^kernels +\d+ dispatches proven in [\d.]+ s with compiling, \d+ known/m);
    const expected = limits === "portable" ? "256 invocations" : " invocations";
    assert.match(stdout, new RegExp(`^workgroup .*${expected}`, "m"));
  });
}

permissionTest(["ffi", "read"], "doctor tells of a machine without MPI in one line", () => {
  const names = { open: "libhatchling-none.so.40", mpich: [] };
  assert.match(
    mpiText(() => loadMpi("linux", names)),
    /^none that can be used, and a run of one process needs none: expected OpenMPI's .*none\.so\.40 but.*: install .*$/,
  );
  assert.match(mpiText(() => loadMpi("windows")), /needs none: expected Linux or macOS.* windows/);
});

permissionTest(["run", "read"], "doctor suggests the option when one is misspelt", async () => {
  const { code, stderr } = await doctor("--limit", "portable");
  assert.equal(code, 1);
  assert.match(stderr, /unknown option '--limit'\n\(Did you mean --limits\?\)/);
});

/** The metrics.jsonl of a recorded run. */
const jsonl = (run: Recording) =>
  recordingOf(run).map((line) => JSON.stringify(line) + "\n").join("");

/** Writes a run's folder. */
const write = (folder: string, name: string, text: string) =>
  put(folder, `${name}/metrics.jsonl`, new TextEncoder().encode(text));

folderTest("doctor tells the state of a run, and its status", async (folder) => {
  await write(folder, "good", jsonl(healthy));
  await write(folder, "bad", jsonl(onePeak));
  await put(
    folder,
    "bad/config.yaml",
    new TextEncoder().encode("model: {projection_output_dim: 1024}\nloss: {centering: none}\n"),
  );
  const [good, bad] = await Promise.all([doctor(`${folder}/good`), doctor(`${folder}/bad`)]);
  assert.equal(good.code, 0, good.stderr);
  assert.match(
    good.stderr,
    /^note: the settings .* only its curves: .*config\.yaml does not exist/,
  );
  assert.match(good.stdout, /^steps +300, epoch 1\.27$/m);
  assert.match(good.stdout, /^figures +medians over steps 260 to 300$/m);
  assert.match(good.stdout, /^verdict +learning$/m);
  assert.match(good.stdout, /^ {2}- the loss is 2\.03 nats \(0\.29 ln K\), after 5\.93 nats/m);
  assert.doesNotMatch(good.stdout, /what to change|risky/);
  assert.equal(bad.code, 2, bad.stderr);
  assert.equal(bad.stderr, "");
  assert.match(bad.stdout, /^verdict +collapse to one peak$/m);
  assert.match(bad.stdout, /^what to change first\n {2}- set loss\.centering to center/m);
  assert.match(bad.stdout, /^risky settings, whatever the curves say\n {2}- loss\.centering none/m);
}, ["run"]);

folderTest("doctor says what is wrong with a folder or a file", async (folder) => {
  const text = jsonl(healthy);
  const [first, ...rest] = text.split("\n");
  await write(folder, "runs/sound", text);
  await write(folder, "runs/empty", "");
  await write(folder, "runs/torn", text.slice(0, -20));
  await write(folder, "runs/damaged", [first, first.slice(0, 30), ...rest].join("\n"));
  await write(folder, "runs/foreign", "step,loss\n1,2\n");
  await put(folder, "none/config.yaml", new TextEncoder().encode("data: {}\n"));
  await put(folder, "runs/sound/config.yaml", new TextEncoder().encode("loss: {temp: 1}\n"));
  const cases: [string, number, RegExp, RegExp][] = [
    [
      "runs/sound",
      0,
      /^verdict +learning$/m,
      /^note: .* only its curves: .*loss\.temp: unknown key/,
    ],
    ["runs/empty", 0, /^verdict +too early to tell\n[^]*no step has been logged yet$/m, /^note: /],
    [
      "runs/torn",
      0,
      /^steps +290.*\n[^]*^verdict +learning$/m,
      /^note: the last line of .* no end/,
    ],
    ["runs/damaged", 0, /^verdict +learning$/m, /^note: line 2 of .*metrics\.jsonl is damaged/],
    ["runs/foreign", 1, /^$/, /^error: Expected lines of JSON .* line 1 is "step,loss"/],
    [
      "nowhere",
      1,
      /^$/,
      /^error: Expected the folder of a run but nowhere.metrics\.jsonl does not/,
    ],
    ["none", 1, /^$/, /^error: Expected the folder .* for instance runs.torn, runs.sound, runs/],
    ["runs", 1, /^$/, /^error: Expected the folder of a run .* name a run, for instance runs.torn/],
  ];
  await Promise.all(cases.map(async ([run, status, out, error]) => {
    const { code, stdout, stderr } = await script("doctor", folder, [run]);
    assert.equal(code, status, `${run}: ${stderr}`);
    assert.match(stdout, out);
    assert.match(stderr, error);
  }));
}, ["run"]);

/** A toy model on eight pictures: 50 steps a second, and quick to collapse. */
const TOY = {
  "data.batch_size": 8,
  "augmentation.num_local_views": 1,
  "augmentation.global_crop_size": 16,
  "augmentation.local_crop_size": 8,
  "model.dim": 16,
  "model.projection_hidden_dim": 16,
  "model.projection_bottleneck_dim": 8,
  "model.projection_output_dim": 32,
  "training.num_epochs": 200,
  "training.max_steps": 200,
  "logging.log_every_n_iters": 5,
  "checkpoint.save_every_n_epochs": "null",
  "checkpoint.save_every_n_iters": 200,
  "evaluation.max_images": 4,
  "evaluation.view_retrieval": "false",
  "optimizer.lr_scale_by_batch": "false",
  "optimizer.lr": 1e-3,
};

/** A test with pictures, and what trains the toy model on them. */
function toyTest(
  name: string,
  fn: (
    folder: string,
    train: (
      out: string,
      settings: Record<string, string | number>,
      ...args: string[]
    ) => ReturnType<typeof script>,
  ) => Promise<void>,
): void {
  const reasons = [lacksAdapter, lacks("run", "read", "write", "env")];
  testUnless(reasons, name, () =>
    withFolder(async (folder) => {
      for (let i = 0; i < 8; i++) {
        const sample = (x: number, y: number, c: number) =>
          (x * 7 * (i + 1) + y * 5 * (c + 1) * (i % 3 + 1) + 40 * i) % 256;
        await put(folder, `pictures/${i}.png`, png({ width: 24, height: 24, sample }));
      }
      await fn(folder, (out, settings, ...args) => {
        const all = { "data.path": "pictures", ...TOY, ...settings };
        const flags = Object.entries(all).flatMap(([key, value]) => [`--${key}`, String(value)]);
        const config = path("configs/tiny.yaml");
        return script("train", folder, [config, "--out", out, ...flags, ...args]);
      });
    }));
}

toyTest("train warns once of a collapse, and doctor finds it again", async (folder, train) => {
  const cases: [string, Record<string, string | number>, string, RegExp, RegExp][] = [
    [
      "peak",
      { "loss.centering": "none" },
      "collapse to one peak",
      /of 32 prototypes a batch of 8 pictures uses 1\.\d/,
      /set loss\.centering to center/,
    ],
    [
      "flat",
      { "loss.teacher_temp": 0.2, "loss.warmup_teacher_temp": 0.2 },
      "collapse to uniform",
      /the teacher's entropy is (9\d|99\.\d|100\.0) % of ln K = 3\.47/,
      /lower loss\.teacher_temp and loss\.warmup_teacher_temp from 0\.2 to 0\.04/,
    ],
  ];
  await Promise.all(cases.map(async ([out, settings, verdict, evidence, remedy]) => {
    const run = await train(out, settings);
    assert.equal(run.code, 0, run.stderr);
    // Not those of the configuration and the length, which come before.
    const warnings = run.stderr.split("\n")
      .filter((line) => /^warning: (?!--|200 steps are few)/.test(line));
    assert.equal(warnings.length, 1, run.stderr);
    assert.match(warnings[0], new RegExp(`^warning: ${verdict} at step (1\\d\\d|200): `));
    assert.match(warnings[0], evidence);
    assert.match(warnings[0], remedy);
    assert.ok(warnings[0].endsWith(`More: deno task doctor ${out}`), warnings[0]);
    assert.match(run.stdout, new RegExp(`^verdict: ${verdict}: .*; what to change first: `, "m"));
    assert.match(run.stdout, remedy);
    assert.doesNotMatch(await Deno.readTextFile(`${folder}/${out}/metrics.jsonl`), /collapse/);
    const { code, stdout, stderr } = await script("doctor", folder, [out]);
    assert.equal(code, 2, stderr);
    assert.match(stdout, new RegExp(`^verdict +${verdict}$`, "m"));
    assert.match(stdout, evidence);
    assert.match(stdout, remedy);
    assert.match(stdout, /^risky settings/m);
  }));
  // What every line now tells, of a state that is known.
  const text = await Deno.readTextFile(`${folder}/peak/metrics.jsonl`);
  const lines = text.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, 40);
  for (const line of lines) {
    const { center_norm, feature_std, feature_rank, gradient_norm, gradient_norms } = line;
    assert.equal(center_norm, 0, "without centring");
    assert.ok(feature_std > 0 && feature_std < 1);
    assert.ok(feature_rank > 1 && feature_rank < 16);
    assert.ok(gradient_norm > 0);
    const parts = Object.keys(gradient_norms);
    assert.deepEqual([parts[0], parts[1], parts.at(-1)], ["patch_embed", "blocks.0", "head"]);
    const all = Math.hypot(...Object.values<number>(gradient_norms));
    assert.ok(Math.abs(all - gradient_norm) < 1e-5 * gradient_norm);
  }
});

toyTest("a run that ended at NaN says so, and goes on from before", async (folder, train) => {
  const settings = { "optimizer.lr": 1e30 };
  const metrics = () => Deno.readTextFile(`${folder}/run/metrics.jsonl`);
  const first = await train("run", settings);
  assert.equal(first.code, 1, first.stderr);
  assert.match(
    first.stderr,
    /NaN or infinity in \S.* at step 1; the first was in \w+\.\w+.*: \S+ at \[/,
  );
  const [line, ...none] = (await metrics()).trim().split("\n");
  assert.equal(none.length, 0);
  const { step, non_finite, first_non_finite } = JSON.parse(line);
  assert.equal(step, 1);
  const { code, stdout } = await script("doctor", folder, ["run"]);
  assert.equal(code, 2);
  assert.match(stdout, /^verdict +not finite$/m);
  assert.ok(stdout.includes(`NaN or infinity in ${non_finite} at step 1\n`), stdout);
  assert.ok(stdout.includes(`the first was in ${first_non_finite}\n`), stdout);
  assert.match(stdout, /^ {2}- divide optimizer\.lr by 5e\+32 or more/m);
  // The line goes when the run goes on; here to the same end.
  const again = await train("run", settings, "--resume");
  assert.equal(again.code, 1, again.stderr);
  assert.match(again.stderr, /resuming after step 1, from run\//);
  assert.deepEqual((await metrics()).trim().split("\n"), [line]);
});

Deno.test("what a run says takes the place of its progress line, which goes on below", () => {
  const written: string[] = [];
  const screen = (terminal: boolean) => ({
    isTerminal: () => terminal,
    writeSync: (bytes: Uint8Array) => {
      const part = bytes.subarray(0, 7); // a screen may take less than it is given
      written.push(new TextDecoder().decode(part));
      return part.length;
    },
  });
  const says = (terminal: boolean) => {
    const progress = new Progress(screen(terminal));
    progress.say("first");
    progress.show("step 1");
    progress.say("warning: x");
    progress.show("step 2");
    progress.end();
    progress.end();
    return written.splice(0).join("");
  };
  assert.equal(says(true), "first\n\r\x1b[2Kstep 1\r\x1b[2Kwarning: x\nstep 1\r\x1b[2Kstep 2\n");
  assert.equal(says(false), "first\nstep 1\nwarning: x\n", "step 2 came too soon after step 1");
});
