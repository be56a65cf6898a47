/**
 * How a run ends when its budget does, on a machine whose speed nobody knows beforehand.
 *
 * The schedules of a run are made for the steps that were planned. Where its end is moved, the rest of the schedules
 * is stretched over the rest of the steps: at every moment the run goes on from the rate, the momentum and the decay
 * that it has, and its last step takes the last values. So a run is a function of its moves, which it records.
 *
 * @module
 */

/** An end that was moved. */
export interface Move {
  /** Steps that were done then. */
  step: number;
  /** Steps of the whole run from then on. */
  end: number;
}

/**
 * The steps of a run beside those of its schedules.
 *
 * @example
 * ```ts
 * import { Pace } from "./pace.ts";
 *
 * const pace = new Pace(100, [{ step: 20, end: 60 }]); // a fifth of the way; the rest in 40 steps
 * console.assert(pace.end === 60 && pace.scheduleStep(10) === 10 && pace.scheduleStep(40) === 60);
 * ```
 */
export class Pace {
  /** Steps that the schedules are made for. */
  readonly planned: number;
  readonly #moves: readonly Move[];

  /**
   * @param planned Steps that the schedules are made for, at least 1.
   * @param moves In the order in which they were made.
   */
  constructor(planned: number, moves: readonly Move[] = []) {
    this.planned = planned;
    this.#moves = moves;
  }

  /** Steps of the run. */
  get end(): number {
    return this.#moves.at(-1)?.end ?? this.planned;
  }

  /** The step of the schedules that stands for a step of the run, both from 0. */
  scheduleStep(step: number): number {
    let from = { step: 0, at: 0, end: this.planned };
    const at = (step: number) =>
      from.at + (step - from.step) / (from.end - from.step) * (this.planned - from.at);
    for (const { step: moved, end } of this.#moves) {
      if (moved > step) break;
      from = { step: moved, at: at(moved), end };
    }
    const exact = from.step ? at(step) : step; // without rounding, until it is needed
    return Math.min(this.planned - 1, Math.floor(exact + 1e-6));
  }
}

/** Share of a budget after which the speed is measured again. */
const WINDOW = 0.05;
/** An end that misses the budget by less than this share of it stays. */
const NEAR = 0.03;
/** Share of a budget for steps and the evaluation; the report and the last checkpoint take the rest. */
const AIM = 0.97;
/** What the newest measurement counts for, beside those before: other work on the machine comes and goes. */
const NEWEST = 0.5;

/** What a run under a budget knows. */
export interface BudgetOptions {
  /** Seconds of all. */
  seconds: number;
  /** Seconds that were spent before its first step. */
  spent: number;
  /** Steps that take as long as what comes after the last one: the evaluation. */
  after: number;
}

/**
 * Measures how fast a run is, and moves its end. The first look only starts the clock, as the first steps compile
 * kernels. It knows no clock of its own: whoever looks tells the time.
 */
export class BudgetWatch {
  readonly #options: BudgetOptions;
  #since?: { step: number; seconds: number };
  #secondsPerStep?: number;

  /** Nothing is measured yet. */
  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /**
   * Looks at the clock.
   *
   * @param step Steps that are done.
   * @param seconds Seconds since the first step began, without those that somebody paused it.
   * @param end Steps of the run as it stands.
   * @returns A new end, with seconds of a step as they are now; undefined while the end is right.
   */
  look(
    step: number,
    seconds: number,
    end: number,
  ): { end: number; secondsPerStep: number } | undefined {
    const since = this.#since ??= { step, seconds };
    const { seconds: budget, spent, after } = this.#options;
    const gone = seconds - since.seconds;
    if (step <= since.step || step >= end || gone < WINDOW * budget) return;
    this.#since = { step, seconds };
    const newest = gone / (step - since.step), before = this.#secondsPerStep ?? newest;
    const secondsPerStep = this.#secondsPerStep = NEWEST * newest + (1 - NEWEST) * before;
    const left = (AIM * budget - spent - seconds) / secondsPerStep - after;
    const moved = step + Math.max(1, Math.floor(left));
    if (Math.abs(moved - end) * secondsPerStep <= NEAR * budget) return;
    return { end: moved, secondsPerStep };
  }
}
