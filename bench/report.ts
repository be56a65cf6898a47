/**
 * Tables as text.
 *
 * @module
 */
import type { Limits } from "./limits.ts";
import { ratios, type Row } from "./suite.ts";

/** Columns of equal width, the first flush left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    cells.map((c, i) => i ? c.padStart(widths[i]) : c.padEnd(widths[i])).join("  ").trimEnd();
  return [head, ...rows].map(line).join("\n");
}

/** Three digits. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (!value) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-9))));
  return value.toFixed(Math.min(places, 6));
}

/** `12%`. */
export const percent = (value: number): string => `${Math.round(100 * value)}%`;

/** Ratios first: how many times longer each peer takes, by group; then every case. */
export function sectionText(
  title: string,
  rows: readonly Row[],
  contenders: readonly string[],
  limits: Limits,
): string {
  const [ours, ...others] = contenders;
  const peers = others.filter((peer) => rows.some(({ results }) => results[peer]));
  const times = (a: number, b: number) => `${digits(a / b)}×`;
  const lines = [`## ${title}`];
  if (peers.length) {
    const means = Object.entries(ratios(rows, ours)).map(([group, by]) => [
      group,
      ...peers.map((peer) => by[peer] === undefined ? "-" : `${digits(by[peer])}×`),
    ]);
    lines.push(
      `How many times longer than ${ours} (geometric means):`,
      table(["", ...peers], means),
      "",
    );
  }
  const body = rows.map(({ label, flops, bytes, results }) => {
    const mine = results[ours];
    const rate = (ms: number) =>
      flops ? `${digits(flops / ms / 1e6)}` : bytes ? digits(bytes / ms / 1e6) : "";
    const limit = flops ? limits.gflops : limits.gbs;
    return [
      label,
      ...peers.map((p) => mine && results[p] ? times(results[p].ms, mine.ms) : "-"),
      mine ? digits(mine.ms) : "-",
      mine ? rate(mine.ms) : "-",
      mine && (flops || bytes) ? percent((flops ?? bytes!) / mine.ms / 1e6 / limit) : "",
      ...peers.map((p) => results[p] ? digits(results[p].ms) : "-"),
    ];
  });
  const unit = rows.some(({ flops }) => flops) ? "GFLOP/s" : "GB/s";
  const head = [
    "",
    ...peers.map((p) => `vs ${p}`),
    `${ours} ms`,
    unit,
    "of limit",
    ...peers.map((p) => `${p} ms`),
  ];
  lines.push(table(head, body));
  return lines.join("\n");
}
