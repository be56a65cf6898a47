/** Runs on machines that begin to compute wrong: heard, named, nothing saved, gone on with. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { canaryText } from "../../scripts/train/canaries.ts";
import { flags, runTest, train } from "../support/runs.ts";

const MORE = flags({
  "training.num_epochs": 12,
  "training.max_steps": 24,
  "logging.log_every_n_iters": 2,
  "checkpoint.save_every_n_iters": 4,
});

Deno.test("what canaries did is told, also where the run was too short to run anything twice", () => {
  const text = (repeated: number, covered: number) =>
    canaryText({ known: 3, repeated, kernels: [covered, 49], ms: 98 }, 70);
  assert.equal(
    text(904, 49),
    "canaries (does the machine compute right?): known answers came out right 3 times; 904 dispatches of 49 of the " +
      "step's 49 kernels ran twice, with equal bits; 98 ms of 70 s (0.14 %)",
  );
  assert.match(
    text(1, 1),
    /; 1 dispatch of 1 of .*equal bits \(a longer run gets to the others\);/,
  );
  const none = text(0, 0);
  assert.match(
    none,
    /none of the step's 49 kernels ran a second time, as the run was too short .* 0\.3 %/,
  );
  assert.doesNotMatch(none, /\b0 (of|dispatch)/);
});

/** What a fault must lead to. */
async function hears(
  folder: string,
  small: readonly string[],
  { fault, kernel }: { fault: string; kernel: RegExp },
): Promise<void> {
  const args = [...small, ...MORE, "--out", "run"];
  const stopped = await train(folder, args, undefined, { fault });
  assert.equal(stopped.code, 1, stopped.stderr);
  assert.match(stopped.stderr, /a canary found a wrong one: .*Nothing was saved since/s);
  const run = join(folder, "run");
  const names = [...Deno.readDirSync(run)].map(({ name }) => name);
  const [report] = names.filter((name) => /^canary-\d{8}\.json$/.test(name));
  const { step, kernel: named, adapter } = JSON.parse(Deno.readTextFileSync(join(run, report)));
  assert.match(named, kernel);
  assert.ok(adapter.description);
  const newest = Math.max(
    ...names.filter((name) => name.startsWith("checkpoint-")).map((name) => +name.slice(11, 19)),
  );
  assert.ok(newest < step, `a checkpoint of step ${newest} after a fault seen at ${step}`);
  assert.ok(!names.includes("teacher.safetensors"));
  // A sound machine goes on with what was saved.
  const whole = await train(folder, [...args, "--resume"]);
  assert.equal(whole.code, 0, whole.stderr);
  assert.match(whole.stderr, new RegExp(`resuming after step ${newest}`));
  assert.match(
    whole.stderr,
    /canaries \(does the machine compute right\?\): known answers came out right \d+ times/,
  );
}

runTest(
  "a kernel that begins to leave old bytes is heard before anything is saved",
  (folder, small) => hears(folder, small, { fault: "drop:9:^attention", kernel: /^attention/ }),
);

runTest(
  "a driver that hands out old bytes is heard before anything is saved",
  (folder, small) => hears(folder, small, { fault: "old:9", kernel: /./ }),
);
