/**
 * Where long work says how far it is.
 *
 * @module
 */

/** A line that changes while work goes on, and messages that stay; a terminal, a log or nothing at all. */
export interface ProgressLine {
  /** Shows how far the work is; `always` also where lines are rationed. */
  show(line: string, always?: boolean): void;
  /** Says something that stays. */
  say(message: string): void;
  /** Ends the line. */
  end(): void;
}

/** Says nothing. */
export const SILENT: ProgressLine = { show() {}, say() {}, end() {} };
