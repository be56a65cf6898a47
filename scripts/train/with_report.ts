/**
 * A report of a run, however it ends.
 *
 * @module
 */
import { DeviceError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { bytes } from "../../lib/words.ts";
import type { Guard } from "./guard.ts";
import type { Progress } from "../shared/progress.ts";
import type { RunFolder } from "./run_folder.ts";
import type { SideFiles } from "../../lib/run/side_files.ts";

/**
 * Waits for a run, then makes its report: also of one that was stopped, or ended with an error. Trouble with the
 * device is left out: the run goes on from it. A report that fails is a warning.
 */
export async function withReport(
  run: Promise<number>,
  { folder, files, guard, progress }: {
    folder: Pick<RunFolder, "isOurs">;
    files: SideFiles;
    guard: Guard;
    progress: Progress;
  },
): Promise<number> {
  const report = async () => {
    guard.saved(); // all that counts is: a signal need not wait for the report
    progress.end();
    await files.close();
    if (!folder.isOurs) return; // it has not begun, or the run before comes back
    try {
      // Imported here, so that packages that are missing cost no more than the report.
      const { makeReport } = await import("../../lib/report/make.ts");
      const { path, bytes: size } = await makeReport(files.folder, { running: false });
      progress.result(`report: ${shown(path)} (${bytes(size)})`);
    } catch (error) {
      progress.say(`warning: no report: ${(error as Error).message}`);
    }
  };
  try {
    const code = await run;
    await report();
    return code;
  } catch (error) {
    if (!(error instanceof DeviceError)) await report();
    throw error;
  }
}
