/**
 * metrics.jsonl while a run writes it, and the warnings that its curves give rise to.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../../lib/config.ts";
import {
  diagnose,
  type DiagnosisSettings,
  type MetricLine,
  type Verdict,
} from "../../lib/diagnosis.ts";
import { fileError } from "../../lib/io/files.ts";
import type { Progress } from "./progress.ts";
import { openMetrics } from "./run_folder.ts";
import { EventFile, hasEventFile } from "./tensorboard.ts";

/** Least milliseconds between two diagnoses: a thousandth of the time goes there, however fast steps are. */
const INTERVAL = 1000;

/** What a diagnosis knows of a configuration. */
export function diagnosisSettingsOf(
  { data, model, loss, optimizer, scheduler, training }: Config,
  totalSteps?: number,
): DiagnosisSettings {
  return {
    outDim: model.projection_output_dim,
    batchSize: data.batch_size * training.gradient_accumulation_steps,
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

/** What a run's own diagnostics have cost, in words: `ms` milliseconds of `seconds`. */
export function costText(ms: number, seconds: number): string {
  const share = seconds > 0 ? ms / seconds / 10 : 0;
  const whole = seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0);
  return `diagnostics: ${ms.toFixed(0)} ms of ${whole} s (${share.toFixed(2)} %)`;
}

/** How a run logs. */
export interface RunLogOptions {
  /** Write TensorBoard's event files too. */
  tensorboard?: boolean;
  /** Tells the time in milliseconds. */
  now?: () => number;
}

/**
 * Appends to metrics.jsonl, and warns when a verdict appears or changes: once for each verdict. A diagnosis
 * is made once a second at most, and of the last line.
 */
export class RunLog {
  readonly #folder: string;
  readonly #file: Deno.FsFile;
  readonly #events?: EventFile;
  readonly #lines: MetricLine[];
  readonly #settings: DiagnosisSettings;
  readonly #progress: Progress;
  readonly #now: () => number;
  readonly #warned = new Set<Verdict>();
  #diagnosed: { at: number; lines: number };
  #time = 0;
  #torn = false; // the last line has no end
  #missed = false;

  private constructor(
    folder: string,
    file: Deno.FsFile,
    lines: MetricLine[],
    settings: DiagnosisSettings,
    progress: Progress,
    now: () => number,
    events?: EventFile,
  ) {
    this.#folder = folder;
    this.#file = file;
    this.#events = events;
    this.#lines = lines;
    this.#settings = settings;
    this.#progress = progress;
    this.#now = now;
    this.#diagnosed = { at: -Infinity, lines: lines.length };
  }

  /** Goes on after `step` steps: later lines of the file are dropped. */
  static async open(
    folder: string,
    step: number,
    settings: DiagnosisSettings,
    progress: Progress,
    { tensorboard, now = () => performance.now() }: RunLogOptions = {},
  ): Promise<RunLog> {
    const { file, lines } = await openMetrics(folder, step);
    if (!tensorboard) return new RunLog(folder, file, lines, settings, progress, now);
    const isFirst = !await hasEventFile(folder);
    const events = await EventFile.open(folder, step, { warn: (text) => progress.say(text) });
    const log = new RunLog(folder, file, lines, settings, progress, now, events);
    if (isFirst) { // what was logged before somebody asked for it
      for (const line of lines) await log.#writeEvents(line);
    }
    return log;
  }

  /** Milliseconds that the diagnoses took so far. */
  get time(): number {
    return this.#time;
  }

  /**
   * Writes a line; warns on stderr when the run has come into a trouble that it was not in before. A line that
   * cannot be written is missed, which is said once.
   */
  async write(line: MetricLine): Promise<void> {
    const text = new TextEncoder().encode(`${this.#torn ? "\n" : ""}${JSON.stringify(line)}\n`);
    try {
      let at = 0;
      this.#torn = true; // until the whole line is there
      while (at < text.length) at += await this.#file.write(text.subarray(at));
      this.#torn = false;
    } catch (error) {
      const { message } = fileError("write", join(this.#folder, "metrics.jsonl"), error);
      if (!this.#missed) {
        this.#progress.say(`warning: ${message}; training goes on without its metrics`);
      }
      this.#missed = true;
    }
    this.#lines.push(line);
    await this.#writeEvents(line);
    if (this.#now() - this.#diagnosed.at >= INTERVAL) this.#diagnose();
  }

  /** Diagnoses what has not been diagnosed yet, and closes the file. */
  close(): void {
    if (this.#lines.length > this.#diagnosed.lines) this.#diagnose();
    this.#file.close();
    this.#events?.close();
  }

  /** Notes the figures of an evaluation, in percent where they are shares, for TensorBoard. */
  async judged(
    step: number,
    figures: readonly { metric: string; percent?: number; value?: number }[],
  ): Promise<void> {
    const scalars = figures.map(({ metric, percent, value }) =>
      [metric, percent ?? value] as const
    );
    await this.#events?.write(step, "eval", scalars);
  }

  async #writeEvents({ step, ...values }: MetricLine): Promise<void> {
    await this.#events?.write(step, "train", Object.entries(values));
  }

  #diagnose(): void {
    const { step, non_finite } = this.#lines.at(-1)!;
    if (non_finite !== undefined) return; // the run ends with an error that says so
    const start = this.#now();
    const { verdict, trouble, evidence, remedy } = diagnose(this.#lines, this.#settings);
    const end = this.#now();
    this.#time += end - start;
    this.#diagnosed = { at: end, lines: this.#lines.length };
    if (!trouble || this.#warned.has(verdict)) return;
    this.#warned.add(verdict);
    this.#progress.say(
      `warning: ${verdict} at step ${step}: ${evidence[0]}. What to change first: ${remedy}. ` +
        `More: deno task doctor ${this.#folder}`,
    );
  }
}
