/**
 * What a run says while it runs.
 *
 * @module
 */

/** Milliseconds between lines where nobody can see a line being rewritten. */
const INTERVAL = 5000;

/** One line of progress: rewritten on a terminal, a new one every few seconds elsewhere. */
export class Progress {
  #terminal = Deno.stderr.isTerminal();
  #last = -Infinity;
  #line = "";

  /** Shows a line; `always` shows it also where lines are rationed. */
  show(line: string, always = false): void {
    if (this.#terminal) {
      this.#write(line);
      this.#line = line;
    } else if (always || performance.now() - this.#last >= INTERVAL) {
      console.error(line);
      this.#last = performance.now();
    }
  }

  /** Says something that stays: it takes the place of the line, which goes on below it. */
  say(message: string): void {
    if (this.#line) this.#write("");
    console.error(message);
    if (this.#line) this.#write(this.#line);
  }

  /** Ends the current line. */
  end(): void {
    if (this.#line) console.error();
    this.#line = "";
    this.#last = -Infinity;
  }

  #write(line: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[2K${line}`));
  }
}

/** "1:02:03", "2:03" or "0:03". */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
