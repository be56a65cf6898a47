/**
 * metrics.jsonl and evaluations.jsonl while a run writes them, and the warnings that its curves give rise to.
 *
 * @module
 */
import {
  diagnose,
  type DiagnosisSettings,
  type EvaluationFigure,
  type MetricLine,
  weigh,
  type Worth,
} from "../../lib/diagnosis.ts";
import { isNetworkName, isWhitenedName } from "../../lib/eval/readout.ts";
import { shown } from "../../lib/text.ts";
import type { Progress } from "../common/progress.ts";
import type { SideFiles } from "../../lib/run/side_files.ts";
import { EventFile, hasEventFile } from "./tensorboard.ts";

/** Figures at every few steps, and those of evaluations while the run trains. */
const METRICS = "metrics.jsonl", EVALUATIONS = "evaluations.jsonl";

/** Milliseconds between two diagnoses, and times what the last one took: however fast steps are, that is little. */
const INTERVAL = 1000, SHARE = 200;

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
 * Appends to the files, and warns when a verdict appears or changes: once for each verdict. A diagnosis is made
 * once a second at most, and of the last lines.
 */
export class RunLog {
  readonly #files: SideFiles;
  readonly #settings: DiagnosisSettings;
  readonly #progress: Progress;
  readonly #tensorboard: boolean;
  readonly #now: () => number;
  readonly #warned = new Set<string>();
  #events?: EventFile;
  #lines: MetricLine[] = [];
  #baselines: readonly EvaluationFigure[] = [];
  #diagnosed = { next: -Infinity, lines: 0 };
  #time = 0;
  #mute = false;

  private constructor(
    files: SideFiles,
    settings: DiagnosisSettings,
    progress: Progress,
    { tensorboard = false, now = () => performance.now() }: RunLogOptions,
  ) {
    this.#files = files;
    this.#settings = settings;
    this.#progress = progress;
    this.#tensorboard = tensorboard;
    this.#now = now;
  }

  /** Opens the log of a run that goes on after `step` steps. */
  static async open(
    files: SideFiles,
    step: number,
    settings: DiagnosisSettings,
    progress: Progress,
    options: RunLogOptions = {},
  ): Promise<RunLog> {
    const log = new RunLog(files, settings, progress, options);
    await log.goOn(step);
    return log;
  }

  /** Goes on after `step` steps, fewer than before where the run had trouble: later lines of the files are dropped. */
  async goOn(step: number): Promise<void> {
    this.#lines = await keepLines<MetricLine>(this.#files, METRICS, step);
    const evaluations = await keepLines<Evaluated>(this.#files, EVALUATIONS, step);
    this.#baselines = evaluations.findLast(hasBaselines)?.baselines ?? [];
    this.#diagnosed = { next: -Infinity, lines: this.#lines.length };
    this.#warned.clear();
    if (!this.#tensorboard) return;
    const isFirst = !await hasEventFile(this.#files.folder);
    this.#events = await EventFile.open(this.#files, step);
    if (!isFirst) return;
    for (const line of this.#lines) await this.#writeEvents(line); // logged before somebody asked for it
  }

  /** Milliseconds that the diagnoses took so far. */
  get time(): number {
    return this.#time;
  }

  /** Writes a line; warns on stderr when the run has come into a trouble that it was not in before. */
  async write(line: MetricLine): Promise<void> {
    await this.#files.add(METRICS, JSON.stringify(line) + "\n");
    this.#lines.push(line);
    await this.#writeEvents(line);
    if (this.#now() >= this.#diagnosed.next) this.#diagnose();
  }

  /** Diagnoses what has not been diagnosed yet. */
  conclude(): void {
    if (this.#lines.length > this.#diagnosed.lines) this.#diagnose();
  }

  /** Whether pixels and the untrained model were measured: once is enough, as they do not change. */
  get hasBaselines(): boolean {
    return this.#baselines.length > 0;
  }

  /** Notes the figures of an evaluation while the run trains, and what was measured beside it for the first time. */
  async evaluatedMidway(
    step: number,
    figures: readonly EvaluationFigure[],
    baselines: readonly EvaluationFigure[] = [],
  ): Promise<void> {
    if (baselines.length) this.#baselines = baselines;
    const line = { step, figures, ...baselines.length ? { baselines } : {} };
    await this.#files.add(EVALUATIONS, JSON.stringify(line) + "\n");
    await this.evaluated(step, figures);
  }

  /** What figures of the teacher are worth beside what was measured with them once. */
  worthOf(figures: readonly EvaluationFigure[]): Worth | undefined {
    return weigh([...figures, ...this.#baselines], this.#settings);
  }

  /** Notes the figures of an evaluation for TensorBoard. */
  async evaluated(step: number, figures: readonly EvaluationFigure[]): Promise<void> {
    const scalars = figures.map(({ metric, encoder = "teacher", percent, value }) => {
      const own = isNetworkName(encoder) && !isWhitenedName(encoder);
      return [own ? metric : `${metric} (${encoder})`, percent ?? value] as const;
    });
    await this.#events?.write(step, "eval", scalars);
  }

  async #writeEvents(
    { step, gradient_norms = {}, rank_compute_ms = [], ...values }: MetricLine,
  ): Promise<void> {
    const parts = Object.entries(gradient_norms)
      .map(([part, norm]) => [`gradient_norm of ${part}`, norm] as const);
    const ranks = rank_compute_ms.map((ms, rank) => [`compute_ms of rank ${rank}`, ms] as const);
    await this.#events?.write(step, "train", [...Object.entries(values), ...parts, ...ranks]);
  }

  /** A diagnosis only tells: one that fails, for lines that somebody spoiled, is the last. */
  #diagnose(): void {
    if (this.#mute) return;
    try {
      this.#warn();
    } catch (error) {
      this.#mute = true;
      this.#progress.say(`warning: no diagnosis: ${(error as Error).message}; training goes on`);
    }
  }

  #warn(): void {
    const { step, non_finite } = this.#lines.at(-1)!;
    if (non_finite !== undefined) return; // the run ends with an error that says so
    const start = this.#now();
    const { verdict, trouble, evidence, remedy, slowRank } = diagnose(this.#lines, this.#settings);
    const end = this.#now();
    this.#time += end - start;
    const next = end + Math.max(INTERVAL, SHARE * (end - start));
    this.#diagnosed = { next, lines: this.#lines.length };
    if (slowRank) {
      this.#warnOnce(`slow rank at step ${step}`, slowRank, `slow rank ${slowRank.rank}`);
    }
    if (trouble) {
      this.#warnOnce(`${verdict} at step ${step}`, { evidence: evidence[0], remedy }, verdict);
    }
  }

  #warnOnce(what: string, told: { evidence: string; remedy: string }, of: string): void {
    if (this.#warned.has(of)) return;
    this.#warned.add(of);
    this.#progress.say(
      `warning: ${what}: ${told.evidence}. What to change first: ${told.remedy}. ` +
        `More: deno task doctor ${shown(this.#files.folder)}`,
    );
  }
}

/** A line of evaluations.jsonl, as far as it matters here. */
interface Evaluated {
  step: number;
  baselines?: EvaluationFigure[];
}

function hasBaselines({ baselines }: Evaluated): boolean {
  return Array.isArray(baselines) && baselines.length > 0;
}

/**
 * Keeps the whole lines up to `step`. An interrupted run may have logged steps after its last checkpoint, which will
 * be logged again, or a number that was not finite, after which it now goes on.
 */
async function keepLines<T extends { step: number }>(
  files: SideFiles,
  name: string,
  step: number,
): Promise<T[]> {
  let lines: T[] = [];
  await files.edit(name, (text) => {
    lines = [];
    const kept = text.split("\n").filter((row) => {
      try {
        const line: T & { non_finite?: string } = JSON.parse(row);
        if (!(line.step <= step) || line.non_finite !== undefined) return false;
        return lines.push(line);
      } catch {
        return false;
      }
    });
    return kept.map((row) => row + "\n").join("");
  });
  return lines;
}
