/**
 * `deno task bench:weights`: how long it takes to load a ViT-L of 1.2 GB from each format, beside a plain read of the
 * same file, and the memory that it takes; every turn in a process of its own. Needs 1.2 GB of disk.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { toFloat32 } from "../lib/io/dtype.ts";
import { openWeightsFile } from "../lib/io/weights_file.ts";
import { print, runCommand, say } from "../scripts/common/terminal.ts";
import { digits, table } from "./report.ts";
import { FILES, TENSOR_BYTES, writeFile } from "./weights/files.ts";

/** What a process does with a file. */
const WAYS = {
  /** Reads it from one end to the other, in pieces, and keeps nothing. */
  plain: async (path: string) => {
    using file = await Deno.open(path);
    const piece = new Uint8Array(1 << 24);
    while (await file.read(piece) !== null);
  },
  /** Reads every tensor once and keeps none. */
  one: async (path: string) => {
    using file = await openWeightsFile(path);
    for (const name of file.entries.keys()) await file.read(name);
  },
  /** Loads all as float32, as a model is loaded. */
  all: async (path: string) => {
    using file = await openWeightsFile(path);
    const all = new Map<string, Float32Array>();
    for (const name of file.entries.keys()) all.set(name, toFloat32(await file.read(name)));
    const bytes = all.values().reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes !== TENSOR_BYTES) {
      throw new Error(`Expected ${TENSOR_BYTES} bytes but found ${bytes}`);
    }
  },
};

/** Turns of each way, of which the fastest counts: others share the disk and the memory; one of the plain read before them warms the system's cache. */
const TURNS = 5;

/** What a process finds. */
interface Found {
  seconds: number;
  /** The most memory that it held, in MiB; 0 where the system does not tell. */
  peak: number;
}

async function measure(way: keyof typeof WAYS, path: string): Promise<Found> {
  const began = performance.now();
  await WAYS[way](path);
  const seconds = (performance.now() - began) / 1000;
  const status = await Deno.readTextFile("/proc/self/status").catch(() => "");
  return { seconds, peak: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024 };
}

async function child(way: string, path: string): Promise<Found> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", fileURLToPath(import.meta.url), "--way", way, "--file", path],
    stderr: "inherit",
  }).output();
  if (code) throw new Error(`Expected the process to end well but its status is ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function compare(folder: string): Promise<void> {
  const rows: string[][] = [];
  for (const name of FILES) {
    say(`${name} …`);
    const path = writeFile(folder, name);
    await child("plain", path);
    const found: Record<string, Found[]> = { plain: [], one: [], all: [] };
    for (let turn = 0; turn < TURNS; turn++) {
      for (const way of Object.keys(WAYS)) found[way].push(await child(way, path));
    }
    const best = (way: string) => Math.min(...found[way].map(({ seconds }) => seconds));
    const ratio = (way: string) => `${digits(best(way) / best("plain"))} ×`;
    const peak = (way: string) => `${Math.round(Math.max(...found[way].map(({ peak }) => peak)))}`;
    rows.push([
      name,
      digits(best("plain")),
      ...["one", "all"].flatMap((way) => [digits(best(way)), ratio(way), peak(way)]),
    ]);
    await Deno.remove(path);
  }
  const head = [
    "",
    "plain read, s",
    "tensor by tensor, s",
    "ratio",
    "MiB",
    "all, s",
    "ratio",
    "MiB",
  ];
  print(table(head, rows));
}

const command = new Command("bench:weights")
  .description("Loading weights: time beside a plain read, and memory.")
  .option("--way <way>", "what a process of its own does with --file")
  .option("--file <file>");

await runCommand(async () => {
  const { way, file } = command.parse(Deno.args, { from: "user" }).opts();
  if (way) return print(JSON.stringify(await measure(way, file)));
  const folder = await Deno.makeTempDir({ prefix: "hatchling-bench-" });
  try {
    await compare(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
