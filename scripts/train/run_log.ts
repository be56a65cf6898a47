/**
 * metrics.jsonl while a run writes it, and the warnings that its curves give rise to.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import {
  diagnose,
  type DiagnosisSettings,
  type MetricLine,
  type Verdict,
} from "../../lib/diagnosis.ts";
import type { Progress } from "./progress.ts";
import { openMetrics } from "./run_folder.ts";

/** What a diagnosis knows of a configuration. */
export function diagnosisSettingsOf(
  { data, model, loss, optimizer, scheduler, training }: Config,
  totalSteps?: number,
): DiagnosisSettings {
  return {
    outDim: model.projection_output_dim,
    batchSize: data.batch_size,
    studentTemp: loss.student_temp,
    teacherTemp: loss.teacher_temp,
    centering: loss.centering,
    centerMomentum: loss.center_momentum,
    koleoWeight: loss.koleo_weight,
    initStd: model.init_std,
    weightDecay: Math.max(optimizer.weight_decay, optimizer.weight_decay_end),
    warmupEpochs: scheduler.warmup_epochs,
    freezeLastLayer: training.freeze_last_layer,
    totalSteps: totalSteps ?? training.max_steps ?? undefined,
  };
}

/** Appends to metrics.jsonl, and warns when a verdict appears or changes: once for each verdict. */
export class RunLog {
  readonly #folder: string;
  readonly #file: Deno.FsFile;
  readonly #lines: MetricLine[];
  readonly #settings: DiagnosisSettings;
  readonly #progress: Progress;
  readonly #warned = new Set<Verdict>();

  private constructor(
    folder: string,
    file: Deno.FsFile,
    lines: MetricLine[],
    settings: DiagnosisSettings,
    progress: Progress,
  ) {
    this.#folder = folder;
    this.#file = file;
    this.#lines = lines;
    this.#settings = settings;
    this.#progress = progress;
  }

  /** Goes on after `step` steps: later lines of the file are dropped. */
  static async open(
    folder: string,
    step: number,
    settings: DiagnosisSettings,
    progress: Progress,
  ): Promise<RunLog> {
    const { file, lines } = await openMetrics(folder, step);
    return new RunLog(folder, file, lines, settings, progress);
  }

  /** Writes a line; warns on stderr when the run has come into a trouble that it was not in before. */
  async write(line: MetricLine): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(line) + "\n");
    for (let at = 0; at < text.length;) at += await this.#file.write(text.subarray(at));
    this.#lines.push(line);
    if (line.non_finite !== undefined) return; // the run ends with an error that says so
    const { verdict, trouble, evidence, remedy } = diagnose(this.#lines, this.#settings);
    if (!trouble || this.#warned.has(verdict)) return;
    this.#warned.add(verdict);
    this.#progress.say(
      `warning: ${verdict} at step ${line.step}: ${
        evidence[0]
      }. What to change first: ${remedy}. ` +
        `More: deno task doctor ${this.#folder}`,
    );
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}
