/** Runs of scripts/train.ts as children, for the tests that look at what they leave behind. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import deno from "../../deno.json" with { type: "json" };
import gray from "../data/fixtures/gray.jpg" with { type: "bytes" };
import jpeg from "../data/fixtures/progressive.jpg" with { type: "bytes" };
import { png, put } from "../data/support.ts";
import { lacksAdapter } from "./gpu.ts";
import { lacks, testUnless, withFolder } from "./permissions.ts";
import { HANG_MS } from "./hang.ts";

export const path = (relative: string) =>
  fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** What the task allows a run, and no more. */
const PERMISSIONS = deno.tasks.train.split(" ").filter((word) => /^--(allow|deny)-/.test(word));

/** The smallest run: a toy model, two batches of four pictures an epoch. */
export const SMALL = {
  "data.batch_size": 4,
  "augmentation.num_local_views": 1,
  "augmentation.global_crop_size": 16,
  "augmentation.local_crop_size": 8,
  "model.dim": 16,
  "model.projection_hidden_dim": 16,
  "model.projection_bottleneck_dim": 8,
  "model.projection_output_dim": 16,
  "training.num_epochs": 4,
  "evaluation.max_images": 16,
  "checkpoint.keep_last_n": 2,
};

export const flags = (settings: Record<string, string | number>) =>
  Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);

/** Arguments of Deno for a run as the task starts it. */
export const commandOf = (
  args: readonly string[],
  config: string = path("configs/tiny.yaml"),
  preload: readonly string[] = [],
) => ["run", "--quiet", ...PERMISSIONS, ...preload, path("scripts/train.ts"), config, ...args];

/** Starts `train configs/tiny.yaml` in `cwd`, or on another file; killed when it hangs. */
export function start(
  cwd: string,
  args: string[],
  config: string = path("configs/tiny.yaml"),
  { fault, runner = [Deno.execPath()], env = {} }: {
    fault?: string;
    runner?: string[];
    env?: Record<string, string>;
  } = {},
) {
  const preload = fault ? [`--preload=${path("tests/support/faults.ts")}`] : [];
  const command = commandOf(args, config, preload);
  const child = new Deno.Command(runner[0], {
    args: [...runner.slice(1), ...command],
    cwd,
    env: { NO_COLOR: "1", ...env, ...fault && { HATCHLING_TEST_FAULT: fault } },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const ended = child.output().then(({ code, stdout, stderr }) => {
    clearTimeout(timer);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  });
  return { child, ended };
}

export const train = (...args: Parameters<typeof start>) => start(...args).ended;

/** The last line with an error, from its first word on. */
export const errorOf = ({ stderr }: { stderr: string }) =>
  stderr.slice(stderr.lastIndexOf("error: "));

/** Eight sound pictures of mixed sizes in two sub-folders. */
export async function pictures(folder: string): Promise<string> {
  const sizes = [[20, 20], [3, 40], [64, 9], [1, 1], [33, 17], [50, 50]];
  for (const [i, [width, height]] of sizes.entries()) {
    const sample = (x: number, y: number, c: number) =>
      (x * 7 * (i + 1) + y * 5 * (c + 1) + i) % 256;
    await put(
      folder,
      `pictures/${i % 2 ? "odd" : "even"}/${i}.png`,
      png({ width, height, sample }),
    );
  }
  await put(folder, "pictures/odd/gray.jpg", gray);
  await put(folder, "pictures/even/colours.jpg", jpeg);
  return `${folder}/pictures`;
}

/** A test with its own folder: pictures in `pictures/`, and room for runs. */
export function runTest(
  name: string,
  fn: (folder: string, small: string[]) => Promise<void>,
): void {
  testUnless(
    [lacksAdapter, lacks("run", "read", "write", "env")],
    name,
    () =>
      withFolder(async (folder) => {
        await fn(folder, flags({ "data.path": await pictures(folder), ...SMALL }));
      }),
  );
}

/** Waits until a file of a run is there, for a minute at most. */
export async function appears(path: string): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await Deno.stat(path).then(({ size }) => size > 0, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${path} did not appear`);
}

/** Names the first byte that differs; the diff that assert would print of such files takes minutes. */
export async function assertSameFile(folder: string, ...names: [string, string]): Promise<void> {
  const [a, b] = await Promise.all(names.map((name) => Deno.readFile(`${folder}/${name}`)));
  const at = a.length === b.length ? a.findIndex((byte, i) => byte !== b[i]) : 0;
  assert.equal(at, -1, `${names.join(" and ")} differ at byte ${at}`);
}

export const checkpoint = (run: string, step: number) =>
  `${run}/checkpoint-${String(step).padStart(8, "0")}.safetensors`;
