/**
 * What was proven, by family of kernels.
 *
 * @module
 */
import type { Findings, Proof } from "../../lib/prove.ts";
import { print } from "../common/terminal.ts";

/** A line of a name and a value, as doctor has them. */
export function row(name: string, value: string): void {
  print(`${name.padEnd(18)} ${value}`);
}

/** Of a family: kernels, dispatches, largest error, time, verdict. */
export interface FamilyRow {
  family: string;
  kernels: number;
  dispatches: number;
  /** Outputs that were compared one by one. */
  compared: number;
  /** Largest error in units of its bound. */
  error: number;
  seconds: number;
  wrong: number;
}

/** The rows, in the order in which families were proven. */
export function familyRows(proofs: readonly Proof[]): FamilyRow[] {
  return [...Map.groupBy(proofs, ({ family }) => family)].map(([family, all]) => ({
    family,
    kernels: new Set(all.map(({ capture }) => capture.source.name)).size,
    dispatches: all.length,
    compared: all.reduce((sum, { compared }) => sum + compared, 0),
    error: all.reduce((most, { error }) => Math.max(most, error), 0),
    seconds: all.reduce((sum, { ms }) => sum + ms, 0) / 1000,
    wrong: all.filter(({ fault }) => fault).length,
  }));
}

/** As lines of text. */
export function familyLines({ proofs, watched, known, idle, left }: Findings): string[] {
  const lines = familyRows(proofs).map((r) =>
    [
      r.family.padEnd(18),
      `${r.kernels}`.padStart(3),
      `${r.dispatches}`.padStart(11),
      `${r.compared}`.padStart(10),
      (Number.isFinite(r.error) ? r.error.toPrecision(2) : "—").padStart(12),
      `${r.seconds.toFixed(1)} s`.padStart(9),
      r.wrong ? `  ${r.wrong} WRONG` : "  right",
    ].join(" ")
  );
  if (lines.length) {
    lines.unshift("family         kernels  dispatches    outputs  error/bound      time  verdict");
  }
  if (watched.length) {
    const racing = watched.filter(({ fault }) => fault).length;
    const seconds = watched.reduce((sum, { ms }) => sum + ms, 0) / 1000;
    lines.push(
      `${watched.length} kernels whose invocations share memory watched for races: ${
        racing ? `${racing} RACE` : "none races"
      }, ${seconds.toFixed(1)} s`,
    );
  }
  if (known) lines.push(`${known} dispatches were proven before on this adapter and driver`);
  if (idle.length) lines.push(`not dispatched on this machine: ${idle.join(", ")}`);
  for (const what of left) lines.push(`too large to be proven: ${what}`);
  return lines;
}
