/**
 * The cost model of a training step on GPUs that nobody here has, as tables for docs/performance.md.
 *
 * @module
 */
import { parseConfig } from "../lib/config.ts";
import { type Bound, type Estimate, estimate, type PaperDispatch } from "./cost_model/model.ts";
import { dispatchesOf } from "./cost_model/step.ts";
import { GPUS, type PaperGpuFigures, peakOf } from "./gpu_figures.ts";
import { digits, percent } from "./report.ts";

/** Kernels that take less of the time on every GPU are told together. */
const LEAST_SHARE = 0.02;

const CONFIGS = ["vit-small", "small"];

/** A kernel in a step: all its dispatches, and the one that does most. */
interface KernelSum {
  name: string;
  all: readonly PaperDispatch[];
  largest: PaperDispatch;
  /** Per GPU. */
  reach: { least: number; most: number; flops: number; bytes: number; largest: Estimate }[];
}

/** The model as text: what it reckons with, then a step by kernel. */
export async function costModelText(): Promise<string> {
  const parts = [gpuTable()];
  for (const name of CONFIGS) {
    const text = await Deno.readTextFile(new URL(`../configs/${name}.yaml`, import.meta.url));
    parts.push(`\`configs/${name}.yaml\`:`, stepTable(await dispatchesOf(parseConfig(text))));
  }
  return parts.join("\n\n");
}

/** Rows as Markdown. */
function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function gpuTable(): string {
  const row = (what: string, of: (gpu: PaperGpuFigures) => string) => [what, ...GPUS.map(of)];
  return markdown(["", ...GPUS.map(({ name }) => name)], [
    row("TFLOP/s in f32", (gpu) => digits(peakOf(gpu) / 1e12)),
    row("GB/s", ({ memory }) => `${memory}`),
    row("cores", ({ cores }) => `${cores}`),
    row("registers of a core, KiB", ({ registers }) => `${registers / 256}`),
    row("most registers of an invocation", (gpu) => `${gpu.mostRegisters}`),
    row("workgroup memory of a core, KiB", ({ workgroupBytes }) => `${workgroupBytes / 1024}`),
    row("its bytes read a clock", ({ workgroupRead }) => `${workgroupRead}`),
    row("invocations of a core", ({ invocations }) => `${invocations}`),
    row("published in", ({ source }) => source),
  ]);
}

/** The kernels of a step, those that take longest on the first GPU first. */
export function kernelSums(dispatches: readonly PaperDispatch[]): KernelSum[] {
  const sums = [...Map.groupBy(dispatches, ({ name }) => name)].map(([name, all]) => ({
    name,
    all,
    largest: all.reduce((a, b) => b.flops + b.bytes > a.flops + a.bytes ? b : a),
    reach: GPUS.map((gpu) => {
      const each = all.map((d) => estimate(gpu, d));
      const sum = (of: (e: Estimate, i: number) => number) =>
        each.reduce((total, e, i) => total + of(e, i), 0);
      const largest = all.reduce(
        (at, d, i) => d.flops + d.bytes > all[at].flops + all[at].bytes ? i : at,
        0,
      );
      return {
        least: sum(({ least }) => least),
        most: sum(({ most }) => most),
        flops: sum((_, i) => all[i].flops),
        bytes: sum((_, i) => all[i].bytes),
        largest: each[largest],
      };
    }),
  }));
  return sums.sort((a, b) => b.reach[0].most - a.reach[0].most);
}

/** Bounds that memory sets. */
const OF_MEMORY: readonly Bound[] = ["bandwidth", "too few loads"];

/** `55–79 % A`: the share of the peak of what holds the largest dispatch back, and a letter for it. */
function reachText(
  gpu: PaperGpuFigures,
  { least, most, flops, bytes, largest }: KernelSum["reach"][0],
): string {
  const memory = OF_MEMORY.includes(largest.bound);
  const share = (seconds: number) =>
    memory ? bytes / (1e9 * gpu.memory) / seconds : flops / peakOf(gpu) / seconds;
  const [low, high] = [share(most), share(least)].map(percent);
  return `${low === high ? low : `${low}–${high}`} ${LETTERS[largest.bound]}`;
}

const LETTERS: Readonly<Record<Bound, string>> = {
  arithmetic: "A",
  "workgroup memory": "W",
  bandwidth: "B",
  "too few loads": "L",
  "too few groups": "G",
  registers: "R",
};

function stepTable(dispatches: readonly PaperDispatch[]): string {
  const sums = kernelSums(dispatches);
  const total = GPUS.map((_, i) => ({
    least: sums.reduce((sum, { reach }) => sum + reach[i].least, 0),
    most: sums.reduce((sum, { reach }) => sum + reach[i].most, 0),
  }));
  const told = sums.filter(({ reach }) =>
    reach.some(({ most }, i) => most >= LEAST_SHARE * total[i].most)
  );
  const rest = sums.filter((sum) => !told.includes(sum));
  const numbers = (list: readonly PaperDispatch[]) => {
    const flops = list.reduce((sum, d) => sum + d.flops, 0);
    const bytes = list.reduce((sum, d) => sum + d.bytes, 0);
    return [`${list.length}`, digits(flops / 1e9), digits(bytes / 1e9), digits(flops / bytes)];
  };
  const rows = told.map(({ name, all, largest, reach }) => [
    name,
    ...numbers(all),
    `${Math.round(largest.registers)}, ${digits(largest.memory / 1024)}`,
    reach.map(({ largest }) => percent(largest.occupancy)).join(" "),
    ...reach.map((r, i) => reachText(GPUS[i], r)),
  ]);
  const list = rest.flatMap(({ all }) => all);
  if (list.length) {
    rows.push([
      `${rest.length} others`,
      ...numbers(list),
      "",
      "",
      ...GPUS.map(() => ""),
    ]);
  }
  rows.push([
    "together, ms",
    ...numbers(dispatches),
    "",
    "",
    ...total.map(({ least, most }) => `${digits(1e3 * least)}–${digits(1e3 * most)}`),
  ]);
  const head = ["kernel", "dispatches", "GFLOP", "GB", "FLOP/B", "registers, KiB", "occupancy"];
  return markdown([...head, ...GPUS.map(({ name }) => name)], rows);
}
