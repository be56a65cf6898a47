/**
 * Makes the report of a run: report.html, and its curves as files.
 *
 * @module
 */
import { join } from "node:path";
import { writeFileAtomic } from "../io/atomic.ts";
import { fileError } from "../io/files.ts";
import { pngUri, readPng, readSnapshot } from "../run/png.ts";
import { readExtras, readRun } from "../run/read.ts";
import { chartsOf, marksOf } from "./charts.ts";
import { svgFile, svgOf } from "./curves.ts";
import { reportPage } from "./page.ts";
import { linksOf } from "./links.ts";
import { imagesOf, namesOf } from "./pictures.ts";
import { pngOf } from "./png.ts";

/** What was made. */
export interface MadeReport {
  /** Path of the page. */
  path: string;
  /** Its size in bytes. */
  bytes: number;
  /** Number of curves, each as SVG and PNG. */
  curves: number;
  /** What could not be read, in words. */
  notes: string[];
}

/**
 * Makes report.html and curves/ in the folder of a run, from whatever files are there.
 *
 * @param running Whether the run goes on; by default its lock tells.
 * @throws {HatchlingError} When a file cannot be written.
 */
export async function makeReport(
  folder: string,
  options: { running?: boolean } = {},
): Promise<MadeReport> {
  const run = await readRun(folder, options), extras = await readExtras(run);
  const marks = marksOf(run), charts = chartsOf(run);
  const below = join(folder, "curves");
  if (charts.length) {
    await Deno.mkdir(below, { recursive: true }).catch((error) => {
      throw fileError("create", below, error);
    });
  }
  const curves: string[] = [];
  for (const chart of charts) {
    const svg = svgOf(chart, marks), path = join(below, chart.name);
    await writeFileAtomic(`${path}.svg`, new TextEncoder().encode(svgFile(svg)));
    await writeFileAtomic(`${path}.png`, await pngOf(svg));
    curves.push(svg);
  }
  const images = new Map<string, string>();
  for (const { path, isRow } of imagesOf(run)) {
    const file = await (isRow ? readSnapshot : readPng)(path);
    if (file) images.set(path, pngUri(file));
  }
  const links = await linksOf(run, namesOf(extras));
  const page = new TextEncoder().encode(reportPage(run, { ...extras, curves, images, links }));
  const path = join(folder, "report.html");
  await writeFileAtomic(path, page);
  return { path, bytes: page.length, curves: curves.length, notes: run.notes };
}
