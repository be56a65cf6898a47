/**
 * What a run says while it runs.
 *
 * @module
 */
import type { ProgressLine } from "../../lib/progress.ts";
import { shown, shownLines } from "../../lib/text.ts";
import { asCalled } from "./called.ts";
import { type Screen, writeRaw } from "./terminal.ts";

/** Milliseconds between lines where nobody can see a line being rewritten. */
const INTERVAL = 5000;

/** Back to the start of a terminal's line, which is then empty. */
const CLEAR = "\r\x1b[2K";

/** Most characters that wait for a screen, and that it gets at once: of UTF-8 less than 4 KiB. */
const MOST_WAITING = 1 << 16, AT_ONCE = 1024;

/** Where a run's lines go. */
export interface RunScreen extends Screen {
  /** Whether 4 KiB would be taken at once; without it, yes. */
  takes?(): boolean;
}

/**
 * One line of progress: rewritten on a terminal, a new one every few seconds elsewhere. Nothing here throws, and
 * control characters are made visible.
 */
export class Progress implements ProgressLine {
  readonly #screen: RunScreen;
  readonly #output: Screen;
  readonly #terminal: boolean;
  #last = -Infinity;
  #line = "";
  #waiting = "";
  #lost = false; // standard output
  /** Told every line that is shown. */
  mirror?: (line: string) => void;

  /** Progress on standard error and results on standard output, or on other screens. */
  constructor(screen: RunScreen = Deno.stderr, output: Screen = Deno.stdout) {
    this.#screen = screen;
    this.#output = output;
    this.#terminal = screen.isTerminal();
  }

  /** Shows a line; `always` shows it also where lines are rationed. */
  show(line: string, always = false): void {
    this.mirror?.(line);
    line = shown(line);
    if (this.#terminal) {
      this.#line = line;
      if (this.#takes()) this.#write(`${CLEAR}${line}`);
    } else if (always || performance.now() - this.#last >= INTERVAL) {
      if (this.#takes()) this.#write(`${line}\n`);
      this.#last = performance.now();
    }
  }

  /** Says something that stays: it takes the place of the line, which goes on below it. */
  say(message: string): void {
    message = asCalled(shownLines(message));
    this.#write(this.#line ? `${CLEAR}${message}\n${this.#line}` : `${message}\n`);
  }

  /** Says a result on standard output. It lies in a file too: that it cannot be written here is a warning. */
  result(text: string): void {
    this.end();
    const error = writeRaw(this.#output, asCalled(shownLines(text)) + "\n");
    if (!error || error instanceof Deno.errors.BrokenPipe || this.#lost) return;
    this.#lost = true;
    this.say(`warning: Cannot write to standard output: ${error.message}`);
  }

  /** Ends the current line. */
  end(): void {
    if (this.#line) this.#write("\n");
    this.#line = "";
    this.#last = -Infinity;
  }

  /** Writes what waits. */
  #takes(): boolean {
    this.#write("");
    return !this.#waiting && (this.#screen.takes?.() ?? true);
  }

  /** A screen that takes nothing now must not stop the work: what is said waits, and in the end is lost. */
  #write(text: string): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting += text;
    while (this.#waiting && (this.#screen.takes?.() ?? true)) {
      let size = AT_ONCE;
      if (/[\ud800-\udbff]/.test(this.#waiting[size - 1])) size--;
      writeRaw(this.#screen, this.#waiting.slice(0, size));
      this.#waiting = this.#waiting.slice(size);
    }
  }
}
