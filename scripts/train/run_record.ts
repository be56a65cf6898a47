/**
 * run.json: what made a run, for whoever wants to repeat it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };
import type { Dataset } from "../../lib/data/dataset.ts";
import type { Gpu } from "../../lib/gpu/mod.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";

/** The code that runs. */
export interface CodeVersion {
  /** Hatchling's version. */
  version: string;
  /** Commit of its git checkout, where it is one. */
  commit?: string;
}

/** One start of a run: it has one more for every time it went on. */
export interface RunPart {
  /** When, ISO 8601. */
  started: string;
  /** Arguments of the command. */
  command: string[];
  /** Folder that it was started in. */
  folder: string;
  /** Steps done before. */
  step: number;
  /** The code. */
  code: CodeVersion;
  /** Deno's version, and its engine's. */
  deno: string;
  /** Operating system and processor. */
  system: string;
  /** The GPU: name, maker, and the limits that decide what fits. */
  adapter: Record<string, unknown>;
  /** The pictures. */
  data: Record<string, unknown>;
}

/** Version and commit of the code that runs. */
export async function codeVersion(): Promise<CodeVersion> {
  const { version } = project;
  if (!import.meta.url.startsWith("file:")) return { version };
  const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
  const commit = await gitCommit(join(root, ".git")).catch(() => undefined);
  return commit ? { version, commit } : { version };
}

/** The commit that HEAD names, read from git's files: git itself may not be there, or not be allowed. */
async function gitCommit(git: string): Promise<string | undefined> {
  const head = (await Deno.readTextFile(join(git, "HEAD"))).trim();
  if (!head.startsWith("ref: ")) return head;
  const ref = head.slice(5);
  try {
    return (await Deno.readTextFile(join(git, ref))).trim();
  } catch {
    const packed = await Deno.readTextFile(join(git, "packed-refs"));
    return packed.split("\n").find((line) => line.endsWith(` ${ref}`))?.split(" ")[0];
  }
}

/** Adds this start to run.json. */
export async function recordPart(
  folder: string,
  { step, gpu, code, dataset, fingerprint }: {
    step: number;
    gpu: Gpu;
    code: CodeVersion;
    dataset: Dataset;
    fingerprint: string;
  },
): Promise<void> {
  const { vendor, architecture, device, description } = gpu.info;
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeInvocationsPerWorkgroup } =
    gpu.limits;
  const part: RunPart = {
    started: new Date().toISOString(),
    command: [...Deno.args],
    folder: Deno.cwd(),
    step,
    code,
    deno: `${Deno.version.deno} (V8 ${Deno.version.v8})`,
    system: `${Deno.build.target}, ${navigator.hardwareConcurrency} processors`,
    adapter: {
      description,
      vendor,
      architecture,
      device,
      software: gpu.isSoftware,
      limits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeInvocationsPerWorkgroup },
    },
    data: { name: dataset.name, pictures: dataset.length, fingerprint },
  };
  const path = join(folder, "run.json");
  let parts: RunPart[] = [];
  try {
    parts = JSON.parse(await Deno.readTextFile(path)).parts ?? [];
  } catch {
    // the first start, or a file that somebody spoiled: it is only for people
  }
  const text = JSON.stringify({ parts: [...parts, part] }, null, 2) + "\n";
  await writeFileAtomic(path, new TextEncoder().encode(text));
}
