/**
 * The report of a run: one page with its curves, views, attention, neighbours and figures.
 *
 * @example
 * ```ts ignore
 * import { makeReport } from "https://…/lib/report.ts";
 *
 * const { path, notes } = await makeReport("runs/a");
 * console.log(path, notes);
 * ```
 *
 * @module
 */
import type { MadeReport } from "./report/make.ts";

export type { MadeReport } from "./report/make.ts";

/**
 * Makes `report.html` and `curves/` in the folder of a run, from whatever files are there: also of a run that is
 * still going or was killed. Needs no GPU, but the permissions to read and to write.
 *
 * @param folder The run's folder.
 * @param options `running`: whether the run goes on; by default its lock tells.
 * @throws {HatchlingError} When a file cannot be written.
 */
export async function makeReport(
  folder: string,
  options: { running?: boolean } = {},
): Promise<MadeReport> {
  return await (await import("./report/make.ts")).makeReport(folder, options);
}
