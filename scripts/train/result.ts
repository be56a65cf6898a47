/**
 * The end of a run: what it says, and its report.
 *
 * @module
 */
import { DeviceError } from "../../lib/errors.ts";
import { diagnosisLine } from "../../lib/diagnosis.ts";
import { diagnosisOf } from "../../lib/from_config/verdict.ts";
import { readRun } from "../../lib/run/read.ts";
import { shown } from "../../lib/text.ts";
import { bytes } from "../../lib/words.ts";
import type { StopRequest } from "./guard.ts";
import type { Launch, Run } from "./run.ts";
import { recordEnd } from "./run_record.ts";

/**
 * Says how many files were left out in all, and where the result is, or how to go on.
 *
 * @returns The exit status.
 */
export async function sayEnd(run: Run, stop: StopRequest | undefined): Promise<number> {
  const { args, files, folder, pictures, progress, step } = run, path = shown(folder.path);
  pictures.nameSkipped();
  await recordEnd(files, { leftOut: pictures.leftOut, gpu: run.gpu });
  if (pictures.leftOutText) progress.say(pictures.leftOutText);
  if (!stop) {
    progress.result(`\nrun folder: ${path}`);
    return 0;
  }
  progress.say(
    `stopped by ${stop.why} after step ${step}` +
      (folder.isOurs ? `; go on with --resume${args.out ? ` --out ${path}` : ""}` : ""),
  );
  return stop.code;
}

/**
 * Waits for a run, then makes its report: also of one that was stopped, or ended with an error. Trouble with the
 * device is left out: the run goes on from it. A report that fails is a warning.
 */
export async function withReport(
  { folder, files, guard, progress }: Launch,
  run: Promise<number>,
): Promise<number> {
  const report = async (verdict: boolean) => {
    guard.saved(); // all that counts is: a signal need not wait for the report
    progress.end();
    await files.close();
    if (!folder.isOurs) return; // it has not begun, or the run before comes back
    try {
      if (verdict) {
        // From its files, so that whoever asks later is told the same.
        const data = await readRun(files.folder, { running: false });
        progress.result(`verdict: ${shown(diagnosisLine(diagnosisOf(data)))}`);
      }
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
    await report(true);
    return code;
  } catch (error) {
    if (!(error instanceof DeviceError)) await report(false); // the error says it all
    throw error;
  }
}
