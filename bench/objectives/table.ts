/**
 * Tables in Markdown: a line for each objective and read-out, means with their spread over the seeds.
 *
 * @module
 */
import { commandText, type Found, type Job } from "./job.ts";
import type { Judge, Row } from "./rows.ts";

/** A row with what is known of its seeds. */
export interface Done {
  /** The row. */
  row: Row;
  /** By seed. */
  seeds: { job: Job; found: Found }[];
}

/** The figures in a table: a title, and the metric by its name. */
const COLUMNS: [string, RegExp][] = [
  ["other vendor R@1", / → .* R@1$/],
  ["R@5", / → .* R@5$/],
  ["k-NN (k 10)", /^(category|digit) k-NN \(k \d+\)$/],
  ["view R@1", /^view retrieval R@1$/],
];

/** "37.8 ± 0.4", the sample's standard deviation; of one value without it. */
export function meanSpread(values: readonly number[], digits = 1): string {
  if (!values.length) return "";
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  if (values.length === 1) return mean.toFixed(digits);
  const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
  return `${mean.toFixed(digits)} ± ${Math.sqrt(square).toFixed(digits)}`;
}

/**
 * The tables, one for each data set that judges.
 *
 * @param readouts Those to show: "class", "grid W"; all others are left out. Pixels are always there.
 */
export function tablesOf(all: readonly Done[], readouts: readonly string[]): string {
  const judges = [...new Set(all.map(({ row }) => row.judge))];
  return judges.map((judge) =>
    tableOf(judge, all.filter(({ row }) => row.judge === judge), readouts)
  )
    .filter(Boolean).join("\n\n");
}

function tableOf(judge: Judge, all: readonly Done[], readouts: readonly string[]): string {
  const some = all.filter(({ seeds }) => seeds.length);
  if (!some.length) return "";
  const metrics = new Set(
    some.flatMap(({ seeds }) =>
      seeds.flatMap(({ found }) => Object.values(found.figures).flatMap(Object.keys))
    ),
  );
  const columns = COLUMNS.flatMap(([title, is]) => {
    const metric = [...metrics].find((name) => is.test(name));
    return metric ? [{ title, metric }] : [];
  });
  const lines = some.flatMap(({ row, seeds }) => {
    const there = Object.keys(seeds[0].found.figures);
    const shown = there.filter((name) => readouts.includes(name) || row.by === "pixels");
    return shown.map((readout, i) => [
      i ? "" : row.title,
      readout,
      ...columns.map(({ metric }) =>
        meanSpread(seeds.flatMap(({ found }) => found.figures[readout]?.[metric] ?? []))
      ),
      i ? "" : `${seeds.length}`,
      i ? "" : meanSpread(seeds.flatMap(({ found: { seconds } }) => seconds ?? []), 0),
    ]);
  });
  const head = ["objective", "read out", ...columns.map(({ title }) => title), "seeds", "seconds"];
  const rule = head.map((_, i) => i < 2 ? "---" : "--:");
  const { judged, adapter } = some[0].seeds[0].found;
  const commands = some.flatMap(({ row, seeds: [{ job }] }) => {
    if (row.by === "pixels" || row.by === "untrained") return [];
    return [`# ${row.title}`, commandText(job)];
  });
  return [
    `Judged on ${judged} (${judge}), in %; ${adapter}.`,
    "",
    ...[head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`),
    ...commands.length ? ["", "```sh", ...commands, "```"] : [],
  ].join("\n");
}
