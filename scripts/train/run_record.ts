/**
 * run.json: what made a run, for whoever wants to repeat it.
 *
 * @module
 */
import type { Gpu } from "../../lib/gpu.ts";
import { commandArgs } from "../common/called.ts";
import type { CodeVersion } from "../common/code_version.ts";
import type { LeftOut, Pictures } from "./pictures.ts";
import type { SideFiles } from "../../lib/run/side_files.ts";

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
  /** The GPU: name, maker, the limits that decide what fits, and what activations are stored as. */
  adapter: Record<string, unknown>;
  /** The pictures. */
  data: RunPictures;
  /** Where there are several ranks, by rank: the machine that each is on, and its GPU's name. */
  ranks?: readonly RunRank[];
  /** The longest submission in milliseconds: of kernels that had run before, and of those that had not. */
  longest_submit_ms?: { measured?: number; first?: number };
}

/** One of several ranks. */
export interface RunRank {
  /** Name of its machine. */
  host: string;
  /** Name of its GPU. */
  adapter?: string;
}

/** The pictures of a run. */
export interface RunPictures extends Partial<LeftOut> {
  /** Name of the data set. */
  name: string;
  /** Number of pictures by their headers: steps and epochs count these, the damaged ones among them too. */
  pictures: number;
  /** Names and sizes. */
  fingerprint: string;
}

/** Adds this start to run.json. */
export async function recordPart(
  files: SideFiles,
  { step, gpu, code, precision, places, pictures: { dataset, fingerprint, leftOut } }: {
    step: number;
    gpu: Gpu;
    code: CodeVersion;
    precision: string;
    places: readonly RunRank[];
    pictures: Pick<Pictures, "dataset" | "fingerprint" | "leftOut">;
  },
): Promise<void> {
  const { vendor, architecture, device, description } = gpu.info;
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeInvocationsPerWorkgroup } =
    gpu.limits;
  const part: RunPart = {
    started: new Date().toISOString(),
    command: commandArgs(),
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
      precision,
      limits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeInvocationsPerWorkgroup },
    },
    ...(places.length ? { ranks: places } : {}),
    data: { name: dataset.name, pictures: dataset.length, fingerprint, ...leftOut },
  };
  await editParts(files, (parts) => [...parts, part]);
}

/** Puts into run.json what is known in the end: how many files were left out, how long submissions were. */
export async function recordEnd(
  files: SideFiles,
  { leftOut, gpu: { pace } }: { leftOut: LeftOut; gpu: Gpu },
): Promise<void> {
  const longest_submit_ms = { measured: pace.longest?.ms, first: pace.longestFirst?.ms };
  await editParts(files, (parts) => {
    const last = parts.at(-1);
    return last?.data
      ? [
        ...parts.slice(0, -1),
        { ...last, data: { ...last.data, ...leftOut }, longest_submit_ms },
      ]
      : parts;
  });
}

async function editParts(
  files: SideFiles,
  edit: (parts: readonly RunPart[]) => readonly RunPart[],
): Promise<void> {
  await files.edit("run.json", (text) => {
    let parts: RunPart[] = [];
    try {
      const found = JSON.parse(text).parts;
      if (Array.isArray(found)) parts = found;
    } catch {
      // the first start, or a file that somebody spoiled: it is only for people
    }
    return JSON.stringify({ parts: edit(parts) }, null, 2) + "\n";
  });
}
