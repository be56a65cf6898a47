/**
 * The same operations by PIL and torchvision themselves, in a Python that has both.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { HatchlingError } from "../../lib/errors.ts";
import type { Sample } from "./measure.ts";

const SCRIPT = fileURLToPath(new URL("./pil.py", import.meta.url));

/** Runs pil.py: a JSON header and bytes go in, bytes come out. */
async function run(python: string, header: unknown, bytes: Uint8Array[]): Promise<Uint8Array> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(python, {
      args: [SCRIPT],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch {
    throw new HatchlingError(
      `Expected a Python at ${python} but could not start it: give --python, or leave out --pil`,
    );
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(Uint32Array.of(text.length).buffer);
  const input = new Blob([length, text, ...bytes as Uint8Array<ArrayBuffer>[]]).stream();
  const [{ code, stdout, stderr }] = await Promise.all([
    child.output(),
    input.pipeTo(child.stdin).catch(() => {}), // it ended early; its exit status tells
  ]);
  if (code === 0) return stdout;
  const last = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
  throw new HatchlingError(
    `Expected ${python} to run PIL and torchvision but it ended with "${last}": ` +
      "apt-get install python3-pil python3-torchvision, or leave out --pil",
  );
}

/** Versions of PIL and torchvision, in words. */
export async function pilVersion(python: string): Promise<string> {
  return new TextDecoder().decode(await run(python, [], [])).trim();
}

/** Number of values in which PIL's results differ from the expected ones. */
export async function differencesFromPil(
  python: string,
  samples: readonly Sample[],
  expected: readonly Float32Array[],
): Promise<number> {
  const header = samples.map(({ picture: { height, width }, ops }) => ({ height, width, ops }));
  const found = await run(python, header, samples.map(({ picture }) => picture.data));
  const values = new Float32Array(found.slice().buffer); // [C, H, W] of every sample
  let [at, different] = [0, 0];
  for (const result of expected) {
    for (const value of result) different += values[at++] === value ? 0 : 1;
  }
  return at === values.length ? different : NaN;
}
