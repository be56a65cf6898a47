/**
 * A Python program that answers lines of JSON with lines of JSON.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** Pythons that may have what a peer needs: one of the user's choice, then Debian's. */
const PYTHONS = ["python3", "/usr/bin/python3"];

/** What else slows PyTorch down, makes it eat a core while it waits, or leaves compiled scripts behind. */
const ENVIRONMENT = { OMP_WAIT_POLICY: "PASSIVE", PYTHONDONTWRITEBYTECODE: "1" };
const UNSET = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

/** A running program. */
export class PythonServer {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(python: string, script: string) {
    const kept = Object.entries(Deno.env.toObject()).filter(([name]) => !UNSET.includes(name));
    this.#child = new Deno.Command(python, {
      args: [script],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      clearEnv: true,
      env: { ...Object.fromEntries(kept), ...ENVIRONMENT },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits for its next line. */
  async answer<T>(): Promise<T> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error("its process ended");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return JSON.parse(line);
  }

  /** Sends a request and waits for its answer. */
  async ask<T>(request: unknown): Promise<T> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    return this.answer();
  }

  /** Ends it. */
  async close(): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#output.cancel();
    await this.#child.status;
  }
}

/**
 * Starts a script of this folder with the first Python that has what it imports.
 *
 * @param missing What to say when there is none.
 * @returns The server, and the line that it began with.
 */
export async function startPython<Hello>(
  script: string,
  missing: string,
): Promise<{ server: PythonServer; hello: Hello }> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  for (const python of PYTHONS) {
    try {
      const server = new PythonServer(python, path);
      return { server, hello: await server.answer<Hello>() };
    } catch {
      continue; // no such program, or one without the packages
    }
  }
  throw new Error(missing);
}
