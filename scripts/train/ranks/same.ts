/**
 * Whether ranks are about to train the same.
 *
 * @module
 */
import { hashOf } from "../../../lib/data/fingerprint.ts";
import type { DinoModel } from "../../../lib/model.ts";
import { shown } from "../../../lib/text.ts";
import type { KernelRecord } from "../../common/kernels.ts";
import type { Pictures } from "../pictures.ts";
import { codeName, type CodeVersion, codeVersion } from "../../common/code_version.ts";
import { RankError, type Team } from "./team.ts";

/** Settings that are about a machine: each rank has its own. Pictures are known by their fingerprint. */
export const OWN_SETTINGS: readonly string[] = [
  "data.path",
  "data.num_workers",
  "data.cache_bytes",
  "device.adapter",
];

/** What a rank has before it has a device. */
export interface Identity {
  /** The code. */
  code: CodeVersion;
  /** What its configuration's file and its command line set, by `section.key`. */
  settings: readonly (readonly [key: string, value: unknown])[];
  /** Number of its pictures, and the fingerprint of their names and sizes. */
  pictures: { count: number; fingerprint: string };
}

/** A rank that could train. */
export interface Readiness {
  /** What its GPU computes with. */
  kernels: KernelRecord;
  /** Hash of names and shapes of all weights. */
  weights: string;
}

/** What a rank tells of itself when it has opened its pictures. */
export async function identityOf(
  said: ReadonlyMap<string, unknown>,
  { dataset, fingerprint }: Pick<Pictures, "dataset" | "fingerprint">,
): Promise<Identity> {
  const pictures = { count: dataset.length, fingerprint };
  return { code: await codeVersion(), settings: [...said], pictures };
}

/** What a rank tells of itself when it could train. */
export async function readinessOf(model: DinoModel, kernels: KernelRecord): Promise<Readiness> {
  const specs = model.specs().map(({ name, shape }) => [name, ...shape]);
  return { kernels, weights: await hashOf(specs) };
}

/** In which a rank differs from rank 0, in words. */
export function differences(first: Identity, other: Identity): string[] {
  const found: string[] = [];
  if (!isSameCode(first.code, other.code)) {
    found.push(`Hatchling ${codeName(other.code)} instead of ${codeName(first.code)}`);
  }
  const [here, there] = [first, other].map(({ settings }) =>
    new Map(settings.map(([key, value]) => [key, JSON.stringify(value)]))
  );
  for (const key of new Set([...here.keys(), ...there.keys()])) {
    if (OWN_SETTINGS.includes(key) || here.get(key) === there.get(key)) continue;
    const value = (text?: string) => text === undefined ? "no value" : shown(text);
    found.push(`${shown(key)}: ${value(there.get(key))} instead of ${value(here.get(key))}`);
  }
  const [a, b] = [first.pictures, other.pictures];
  if (a.count !== b.count) found.push(`${b.count} pictures instead of ${a.count}`);
  else if (a.fingerprint !== b.fingerprint) {
    found.push(`other pictures: as many, but names or sizes of files are others`);
  }
  return found;
}

/** A checkout that does not tell its commit is taken by its version. */
function isSameCode(a: CodeVersion, b: CodeVersion): boolean {
  return a.version === b.version &&
    (a.commit === b.commit || a.commit === undefined || b.commit === undefined);
}

/**
 * Refuses ranks that would train something else than rank 0.
 *
 * @param all By rank.
 * @throws {RankError} Naming each rank and all that differs.
 */
export function checkSame(team: Team, all: readonly Identity[]): void {
  const lines = all.slice(1).flatMap((other, i) =>
    differences(all[0], other).map((what) => `\n  ${team.nameOf(i + 1)}: ${what}`)
  );
  if (!lines.length) return;
  throw new RankError(
    `Expected all ranks to have what ${team.nameOf(0)} has but found${
      lines.join("")
    }\nGive all of them the same ` +
      `configuration, pictures and checkout of Hatchling; only ${
        OWN_SETTINGS.join(", ")
      } may differ`,
  );
}

/**
 * Refuses a rank with another model, and tells of one that computes with other kernels.
 *
 * @param all By rank.
 * @returns Warnings.
 * @throws {RankError} Naming the ranks.
 */
export function checkReady(team: Team, all: readonly Readiness[]): string[] {
  const others = all.flatMap(({ weights }, rank) => weights === all[0].weights ? [] : [rank]);
  if (others.length) {
    throw new RankError(
      `Expected weights of the same names and shapes on all ranks but found others on ${
        others.map((rank) => team.nameOf(rank)).join(", ")
      }: give all of them the same checkout of Hatchling`,
    );
  }
  const [{ kernels: first }] = all;
  return all.slice(1).flatMap(({ kernels }, i) => {
    const found = kernelDifferences(first, kernels);
    return found.length
      ? [
        `${team.nameOf(i + 1)} computes with ${
          found.join(", ")
        }: where that leaves other bits in the weights, the ` +
        "run ends; take equal adapters and versions of Deno then",
      ]
      : [];
  });
}

/** "adapter A instead of B". */
function kernelDifferences(first: KernelRecord, other: KernelRecord): string[] {
  const found = (["adapter", "deno", "subgroups"] as const)
    .filter((key) => first[key] !== other[key])
    .map((key) => `${key} ${shown(String(other[key]))} instead of ${shown(String(first[key]))}`);
  const kinds = new Set([...Object.keys(first.choices), ...Object.keys(other.choices)]);
  for (const kind of kinds) {
    const [a, b] = [first.choices[kind], other.choices[kind]];
    if (a !== b) found.push(`${kind} by ${shown(`${b}`)} instead of ${shown(`${a}`)}`);
  }
  return found;
}
