/**
 * The thread of a heartbeat, which still runs when the main thread compiles kernels or waits for the GPU: it tells
 * the rank after this one once a second that this process lives, and listens to the rank before.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { readProc } from "../io/proc.ts";
import { systemLibrary } from "../io/platform.ts";
import type { CommData } from "./comm.ts";
import {
  BEAT_BYTES,
  BEAT_MS,
  CELL,
  HASTE_MS,
  type HeartbeatAnswer,
  type HeartbeatOrder,
  type HeartbeatSettings,
  KIND,
  LOOK_MS,
  lostWords,
  readSender,
  type Sender,
  Silence,
  TAG,
  whySilent,
  writeBeat,
} from "./heartbeat_shared.ts";
import { loadMpi } from "./library.ts";
import { check } from "./start.ts";

/** Milliseconds that the library has to end all processes, before this one ends by itself. */
const ABORT_MS = 5000;

/** The status that all end with. */
const STATUS = 1;

const answer = (message: HeartbeatAnswer) => parentPort!.postMessage(message);

class Heartbeat {
  readonly #mpi = loadMpi().mpi;
  readonly #settings: HeartbeatSettings;
  readonly #sends: BigUint64Array;
  readonly #receives: BigUint64Array;
  readonly #flag = new Int32Array(1);
  readonly #own: Sender;
  readonly #before: number;
  readonly #after: number;
  #silence = new Silence(0);
  /** Who was heard. */
  #sender: Sender | undefined;
  #sentAt = -Infinity;
  #sending = false;
  /** Whether the rank before has said its last, and this one too. */
  #heardLast = false;
  #saidLast = false;
  #ending = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(settings: HeartbeatSettings) {
    this.#settings = settings;
    const { rank, size, requests } = settings;
    this.#sends = requests.subarray(0, 1);
    this.#receives = requests.subarray(1, 2);
    this.#before = (rank + size - 1) % size;
    this.#after = (rank + 1) % size;
    this.#own = { pid: Deno.pid, host: this.#host() };
  }

  go(): void {
    this.#silence = new Silence(performance.now());
    this.#listen();
    this.#lookEvery(HASTE_MS);
  }

  end(): void {
    this.#ending = true;
    this.#lookEvery(HASTE_MS);
  }

  #lookEvery(ms: number): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), ms);
  }

  #look(): void {
    try {
      this.#hear();
      this.#say();
    } catch (error) {
      return this.#lose((error as Error).message);
    }
    if (this.#ending && this.#heardLast && this.#saidLast && !this.#sending) {
      clearInterval(this.#timer);
      answer("ended");
      return;
    }
    if (this.#heardLast || this.#silence.at(performance.now()) < this.#settings.silenceMs) return;
    const { host } = this.#own, sender = this.#sender;
    const stat = sender?.host === host && Deno.build.os === "linux"
      ? readProc(`/proc/${sender.pid}/stat`) ?? ""
      : undefined;
    this.#lose(sender ? whySilent(sender, stat) : "it was never heard");
  }

  #listen(): void {
    const { MPI_Irecv, ompi_mpi_byte, ompi_mpi_comm_world } = this.#mpi;
    const { into } = this.#settings;
    const code = MPI_Irecv(
      ...[pointer(into), BEAT_BYTES, ompi_mpi_byte] as const,
      ...[this.#before, TAG, ompi_mpi_comm_world, this.#receives] as const,
    );
    check(this.#mpi, "heartbeat", code);
  }

  #hear(): void {
    while (!this.#heardLast && this.#ended(this.#receives)) {
      this.#silence.heard();
      if (!this.#sender) {
        this.#lookEvery(LOOK_MS);
        answer("heard");
      }
      this.#sender = readSender(this.#settings.into);
      this.#heardLast = this.#settings.into[0] === KIND.last;
      if (!this.#heardLast) this.#listen();
    }
  }

  #say(): void {
    // One at a time: a rank that takes none gets no more.
    if (this.#sending) this.#sending = !this.#ended(this.#sends);
    const now = performance.now();
    if (this.#sending || this.#saidLast) return;
    if (!this.#ending && now - this.#sentAt < BEAT_MS - LOOK_MS / 2) return;
    this.#sentAt = now;
    this.#saidLast = this.#ending;
    const { out } = this.#settings;
    writeBeat(out, this.#ending ? KIND.last : KIND.beat, this.#own);
    const { MPI_Isend, ompi_mpi_byte, ompi_mpi_comm_world } = this.#mpi;
    const code = MPI_Isend(
      ...[pointer(out), BEAT_BYTES, ompi_mpi_byte] as const,
      ...[this.#after, TAG, ompi_mpi_comm_world, this.#sends] as const,
    );
    check(this.#mpi, "heartbeat", code);
    this.#sending = true;
  }

  #ended(request: BigUint64Array): boolean {
    check(this.#mpi, "heartbeat", this.#mpi.MPI_Test(request as BufferSource, this.#flag, null));
    return this.#flag[0] !== 0;
  }

  #host(): string {
    const text = new Uint8Array(256), length = new Int32Array(1);
    check(this.#mpi, "heartbeat", this.#mpi.MPI_Get_processor_name(text, length));
    return new TextDecoder().decode(text.subarray(0, length[0]));
  }

  #lose(why: string): void {
    clearInterval(this.#timer);
    if (Atomics.load(this.#settings.cells, CELL.quiet)) return;
    const lost = { rank: this.#before, sender: this.#sender, why };
    console.error(lostWords(this.#settings, lost, this.#own.host));
    setTimeout(exitNow, ABORT_MS);
    const { MPI_Abort, ompi_mpi_comm_world } = this.#mpi;
    MPI_Abort(ompi_mpi_comm_world, STATUS).then(exitNow, exitNow);
  }
}

function pointer(array: CommData): Deno.PointerValue {
  return Deno.UnsafePointer.of(array as BufferSource);
}

/** Ends the process; `Deno.exit` would end this thread only. */
function exitNow(): void {
  Deno.dlopen(systemLibrary(), { _exit: { parameters: ["i32"], result: "void" } })
    .symbols._exit(STATUS);
}

let heartbeat: Heartbeat | undefined;

parentPort!.on("message", (data: HeartbeatSettings | HeartbeatOrder) => {
  if (data === "go") heartbeat!.go();
  else if (data === "end") heartbeat!.end();
  else {
    heartbeat = new Heartbeat(data);
    answer("ready");
  }
});
