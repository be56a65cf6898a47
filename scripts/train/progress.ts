/**
 * What a run says while it runs.
 *
 * @module
 */

/** Milliseconds between lines where nobody can see a line being rewritten. */
const INTERVAL = 5000;

/** Back to the start of a terminal's line, which is then empty. */
const CLEAR = "\r\x1b[2K";

/** Where lines go: standard error, or what a test makes of it. */
export interface Screen {
  /** Whether somebody can see a line being rewritten. */
  isTerminal(): boolean;
  /** Writes some of the bytes; returns how many. */
  writeSync(bytes: Uint8Array): number;
}

/** One line of progress: rewritten on a terminal, a new one every few seconds elsewhere. */
export class Progress {
  readonly #screen: Screen;
  readonly #terminal: boolean;
  #last = -Infinity;
  #line = "";
  /** Told every line that is shown. */
  mirror?: (line: string) => void;

  /** Progress on standard error, or on another screen. */
  constructor(screen: Screen = Deno.stderr) {
    this.#screen = screen;
    this.#terminal = screen.isTerminal();
  }

  /** Shows a line; `always` shows it also where lines are rationed. */
  show(line: string, always = false): void {
    this.mirror?.(line);
    if (this.#terminal) {
      this.#write(`${CLEAR}${line}`);
      this.#line = line;
    } else if (always || performance.now() - this.#last >= INTERVAL) {
      this.#write(`${line}\n`);
      this.#last = performance.now();
    }
  }

  /** Says something that stays: it takes the place of the line, which goes on below it. */
  say(message: string): void {
    this.#write(this.#line ? `${CLEAR}${message}\n${this.#line}` : `${message}\n`);
  }

  /** Ends the current line. */
  end(): void {
    if (this.#line) this.#write("\n");
    this.#line = "";
    this.#last = -Infinity;
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += this.#screen.writeSync(bytes.subarray(at));
  }
}

/** "1:02:03", "2:03" or "0:03". */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
