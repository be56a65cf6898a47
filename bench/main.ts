/**
 * `deno task bench`: this project beside its peers and beside the adapter's limits, in one run on one adapter.
 *
 * @module
 */
import { Command, Option } from "commander";
import manifest from "../deno.json" with { type: "json" };
import { HatchlingError } from "../lib/errors.ts";
import { ensureAdapter } from "../lib/adapter.ts";
import { openGpu } from "../lib/gpu.ts";
import { augmentationText, benchAugmentation } from "./augmentation.ts";
import {
  attentionCases,
  backboneCases,
  type Case,
  lossCases,
  matmulCases,
  rowCases,
  stepCases,
} from "./cases.ts";
import { STEPS } from "./cases.ts";
import type { Contender } from "./contender.ts";
import { measureLimits } from "./limits.ts";
import { openOurs } from "./ours.ts";
import { openPeers, tryOpen } from "./peers/mod.ts";
import { openTorchvision } from "./peers/torchvision.ts";
import { hostCost, profileStep, profileText } from "./profile.ts";
import { costModelText } from "./cost_model.ts";
import { digits, sectionText } from "./report.ts";
import { benchScale, scaleText } from "./scale.ts";
import { writeScaleFigure } from "./scale_figure.ts";
import { ratios, type Row, runCase } from "./suite.ts";

const SECTIONS = [
  "matmul",
  "attention",
  "rows",
  "augmentation",
  "loss",
  "step",
  "backbone",
  "scale",
  "model",
];
/** They take minutes on software adapters. */
const LONG = ["backbone", "scale"];
/** It measures nothing: what GPUs that are not here could reach, on paper. */
const ON_PAPER = "model";
const DEFAULT_SECTIONS = SECTIONS.filter((name) => !LONG.includes(name) && name !== ON_PAPER);

/** Pictures of a backbone that fill a GPU. */
const GPU_BATCH = 32;

interface Options {
  only: string[];
  json?: string;
  profile?: boolean;
  sizes: string[];
  batch?: number;
  peers: boolean;
  repeats: number;
  "device.limits": "adapter" | "portable";
}

/** A comma-separated option of known names. */
function listOf(known: readonly string[]) {
  return (text: string) => {
    const names = text.split(",");
    const odd = names.find((name) => !known.includes(name));
    if (odd === undefined) return names;
    throw new HatchlingError(`Expected names among ${known.join(", ")} but found "${odd}"`);
  };
}

function count(text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n > 0) return n;
  throw new HatchlingError(`Expected a whole number of 1 or more but found "${text}"`);
}

function readOptions(args: readonly string[]): Options {
  const sizes = Object.keys(STEPS);
  return new Command("bench")
    .description("Times this project beside its peers and the adapter's limits.")
    .addOption(
      new Option("--only <list>", `sections: ${SECTIONS.join(", ")}`)
        .argParser(listOf(SECTIONS)).default(
          DEFAULT_SECTIONS,
          `all but ${[...LONG, ON_PAPER].join(", ")}`,
        ),
    )
    .addOption(
      new Option("--sizes <list>", "whole steps").argParser(listOf(sizes))
        .default(sizes, sizes.join(",")),
    )
    .addOption(
      new Option("--batch <n>", `pictures of a backbone (default: ${GPU_BATCH}, 1 on the CPU)`)
        .argParser(count),
    )
    .option("--profile", "the kernels of a step by timestamp, instead of the sections")
    .option("--no-peers", "this project alone")
    .addOption(
      new Option("--repeats <n>", "batches behind a median").argParser(count).default(3),
    )
    .option("--json <file>", "write every figure")
    .addOption(
      new Option("--device.limits <which>", "limits and features to ask for")
        .choices(["adapter", "portable"]).default("adapter"),
    )
    .parse([...args], { from: "user" })
    .opts<Options>();
}

async function main(): Promise<void> {
  const options = readOptions(Deno.args);
  if (options.only.includes(ON_PAPER)) {
    console.log(await costModelText());
    if (options.only.length === 1) return;
  }
  const { repeats } = options;
  const say = (text: string) => console.log(`${text}\n`);
  const note = (line: string) => console.error(line);

  // The adapter, what it can do, and who takes part.
  await ensureAdapter({ log: note });
  const gpu = await openGpu({ limits: options["device.limits"] });
  const wants = (name: string) => !options.profile && options.only.includes(name);
  const compared = ["matmul", "attention", "rows", "loss", "step", "backbone"].some(wants);
  const limits = await measureLimits(gpu, repeats);
  const ours = await openOurs(gpu, manifest.version, limits);
  const peers = options.peers && compared ? await openPeers(note) : [];
  const contenders: Contender[] = [ours, ...peers];
  const figures: Record<string, unknown> = {
    date: new Date().toISOString(),
    adapter: gpu.info.description,
    software: gpu.isSoftware,
    deviceLimits: options["device.limits"],
    subgroupSize: gpu.subgroupSize,
    deno: Deno.version.deno,
    versions: Object.fromEntries(contenders.map(({ name, version }) => [name, version])),
    command: `deno task bench ${Deno.args.join(" ")}`.trim(),
    repeats,
    limits,
  };
  say(
    `${gpu.info.description}, Deno ${Deno.version.deno}; ` +
      contenders.map(({ name, version }) => `${name} ${version}`).join(", ") +
      `\nThe adapter's limits: ${digits(limits.gflops)} GFLOP/s in registers, ` +
      `${digits(limits.gbs)} GB/s copying. Medians of ${repeats} interleaved batches.`,
  );

  // The sections.
  const began = performance.now();
  const section = async (name: string, cases: readonly Case[]) => {
    const rows: Row[] = [];
    for (const one of cases) {
      note(`${name}: ${one.label}`);
      rows.push(await runCase(one, contenders, repeats, note));
    }
    say(sectionText(name, rows, contenders.map((c) => c.name), limits));
    figures[name] = { ratios: ratios(rows, ours.name), rows };
  };
  if (wants("matmul")) await section("matmul", matmulCases());
  if (wants("attention")) await section("attention", attentionCases());
  if (wants("rows")) await section("rows", rowCases());
  if (wants("loss")) await section("loss", lossCases());
  if (wants("augmentation")) {
    const peer = options.peers ? await tryOpen("torchvision", openTorchvision, note) : undefined;
    if (peer) say(`torchvision ${peer.version}, ${peer.cores} cores`);
    const rows = await benchAugmentation(gpu, repeats, peer);
    say(augmentationText(rows));
    figures.augmentation = { torchvision: peer?.version, rows };
    await peer?.close();
  }
  if (wants("step")) {
    await section("step", stepCases(options.sizes));
  }
  if (wants("backbone")) {
    await section("backbone", backboneCases(options.batch ?? (gpu.isSoftware ? 1 : GPU_BATCH)));
  }
  if (wants("scale")) {
    const series = await benchScale(gpu, repeats, note);
    say(scaleText(series));
    await writeScaleFigure(series, gpu.info.description);
    figures.scale = series;
  }
  if (wants("step") || options.profile) {
    const host = await hostCost(gpu);
    const { dispatches, ms } = host;
    say(`JavaScript in a step of the smoke size: ${digits(ms)} ms for ${dispatches} dispatches.`);
    figures.host = host;
  }
  if (options.profile) {
    const profiles: Record<string, unknown> = {};
    for (const size of options.sizes) {
      const rows = await profileStep(gpu, STEPS[size], limits, repeats);
      say(profileText(size, rows));
      profiles[size] = rows;
    }
    figures.profile = profiles;
  }
  note(`took ${Math.round((performance.now() - began) / 1000)} s`);
  for (const { close } of contenders) close();
  gpu.destroy();
  if (options.json) await Deno.writeTextFile(options.json, JSON.stringify(figures, null, 2) + "\n");
}

try {
  await main();
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
