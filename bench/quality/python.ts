/**
 * The process that runs torch_side.py.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { HatchlingError } from "../../lib/errors.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";

/** Pythons that may have PyTorch: one of the user's choice, then Debian's. */
const PYTHONS = ["python3", "/usr/bin/python3"];

/** What the environment may say that slows PyTorch down, or makes it eat a core while it waits. */
const UNSET = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

/** What it says of itself. */
export interface TorchVersions {
  /** Version of PyTorch. */
  torch: string;
  /** Version of NumPy. */
  numpy: string;
  /** Its kind of threads. */
  blas: string;
}

/** A PyTorch that answers. */
export class TorchProcess {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: FrameReader;

  private constructor(python: string, threads: number) {
    const kept = Object.entries(Deno.env.toObject()).filter(([name]) => !UNSET.includes(name));
    this.#child = new Deno.Command(python, {
      args: [fileURLToPath(new URL("torch_side.py", import.meta.url))],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      clearEnv: true,
      env: {
        ...Object.fromEntries(kept),
        OMP_WAIT_POLICY: "PASSIVE",
        OMP_NUM_THREADS: `${threads}`,
        OPENBLAS_NUM_THREADS: `${threads}`,
      },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = new FrameReader(this.#child.stdout);
  }

  /**
   * Starts the first Python that has what it needs.
   *
   * @throws {HatchlingError} When there is none, naming Debian's package.
   */
  static async start(
    threads: number,
    pythons: readonly string[] = PYTHONS,
  ): Promise<{ torch: TorchProcess; versions: TorchVersions }> {
    for (const python of pythons) {
      let torch: TorchProcess | undefined;
      try {
        torch = new TorchProcess(python, threads);
        const { message } = await torch.#output.next<TorchVersions>();
        return { torch, versions: message };
      } catch {
        await torch?.close();
      }
    }
    throw new HatchlingError(
      `Expected a Python with PyTorch and NumPy but found none as ${
        pythons.join(" or ")
      }: on Debian ` +
        "apt-get install --no-install-recommends python3-torch python3-numpy libopenblas0-pthread; only this " +
        "comparison needs them",
    );
  }

  /**
   * Sends a message and waits for the answer.
   *
   * @throws {HatchlingError} When something went wrong over there.
   */
  async ask<T extends object>(
    message: object,
    values: readonly Float32Array[] = [],
  ): Promise<Frame<T>> {
    await this.#input.write(encodeFrame(message, values)).catch(() => {
      throw new HatchlingError("Expected PyTorch's process to listen but it has ended");
    });
    const answer = await this.#output.next<T & { error?: string }>();
    if (answer.message.error !== undefined) {
      throw new HatchlingError(`Expected PyTorch's answer but found ${answer.message.error}`);
    }
    return answer;
  }

  /** Ends it. */
  async close(): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#output.close();
    await this.#child.status;
  }
}
