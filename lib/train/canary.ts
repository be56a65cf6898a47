/**
 * Canaries of a training run: is the machine that trains still to be trusted?
 *
 * @module
 */
import type { Gpu, Program, Tensor } from "../gpu.ts";
import type { Submission } from "../gpu/pace.ts";
import { Recheck, type Repeatable } from "../gpu/recheck.ts";
import type { DinoModel } from "../model.ts";
import { KnownAnswers } from "./canary/known.ts";

/** Share of the time that canaries may take. */
export const CANARY_SHARE = 0.003;
/** Dispatches that are run twice within a step, at most. */
const MOST = 32;
/** Milliseconds of the host for a dispatch that is run twice: another submission or two. */
const HOST = 0.2;

/** A machine that computes wrong. */
export interface CanaryFault {
  /** What was found, in words, with the kernel. */
  text: string;
  /** `known answer`, or `second run` of a dispatch of the step. */
  canary: "known answer" | "second run";
  /** The kernel. */
  kernel: string;
}

/** A dispatch of one of the step's programs. */
interface Candidate {
  recheck: Recheck;
  which: number;
  of: Repeatable;
  part: StepPart;
}

/** The programs of a step. */
export type StepPart = "microStep" | "update";

/** What a run's canaries did. */
export interface CanaryCounts {
  /** Times that the known answers were right. */
  known: number;
  /** Dispatches that were run twice. */
  repeated: number;
  /** Different kernels among them, and all that a step has. */
  kernels: [covered: number, all: number];
  /** Milliseconds that all of it took. */
  ms: number;
}

/**
 * Canaries of a recorded step. Where the host looks at its results anyway, products, sums, a norm and an attention of
 * known results run; and within the step some of its dispatches, one for every kernel in turn, run twice on the same
 * memory and must write the same bits. They take 0.3 % of the time at most, by measuring their own.
 */
export class StepCanaries {
  /** Whether the known answers were right after the last step; whoever runs another one sets it to false. */
  sound = false;
  readonly #known: KnownAnswers;
  readonly #rechecks: readonly Recheck[];
  readonly #candidates: readonly Candidate[];
  readonly #gpu: Gpu;
  readonly #now: () => number;
  readonly #covered = new Set<string>();
  #next = 0;
  #started?: number;
  #spent = 0;
  #counts = { known: 0, repeated: 0 };
  #ran: { candidate: Candidate; submission: Submission; own: number }[] = [];
  #knownRun?: Submission;

  private constructor(
    gpu: Gpu,
    known: KnownAnswers,
    rechecks: Record<StepPart, Recheck>,
    now: () => number,
  ) {
    this.#gpu = gpu;
    this.#known = known;
    this.#rechecks = Object.values(rechecks);
    this.#candidates = Object.entries(rechecks).flatMap(([part, recheck]) =>
      recheck.repeatable.map((of, which) => ({ recheck, which, of, part: part as StepPart }))
    );
    this.#now = now;
  }

  /** Prepares canaries for a step of a model; nothing runs yet. */
  static async record(
    gpu: Gpu,
    { backbone }: DinoModel,
    programs: Readonly<Record<StepPart, Program<unknown>>>,
    now: () => number = () => performance.now(),
  ): Promise<StepCanaries> {
    const { dim } = backbone;
    const heads = "config" in backbone && (backbone.config as { heads?: number }).heads;
    const known = await KnownAnswers.record(gpu, { dim, headDim: heads ? dim / heads : 32 });
    const rechecks = {
      microStep: await Recheck.of(gpu, programs.microStep),
      update: await Recheck.of(gpu, programs.update),
    };
    return new StepCanaries(gpu, known, rechecks, now);
  }

  /**
   * Runs all that canaries have of their own once, so that compiling it takes none of their time.
   *
   * @returns What is wrong, if anything is.
   */
  async warmUp(): Promise<CanaryFault | undefined> {
    for (const recheck of this.#rechecks) recheck.warmUp();
    this.#known.run();
    const wrong = this.#known.check(await this.#gpu.read(this.#known.outputs));
    return wrong && { canary: "known answer", ...wrong };
  }

  /**
   * Plans the canaries within a step: what is run instead of some dispatches of its programs, in its first
   * micro-batch, as far as the time that they may take allows.
   */
  within(): Record<StepPart, ReadonlyMap<number, () => void>> {
    this.#started ??= this.#now();
    const plan = {
      microStep: new Map<number, () => void>(),
      update: new Map<number, () => void>(),
    };
    const allowed = CANARY_SHARE * (this.#now() - this.#started) - this.#spent;
    let ms = 0;
    this.#ran = [];
    for (let n = 0; n < Math.min(MOST, this.#candidates.length); n++) {
      const candidate = this.#candidates[this.#next % this.#candidates.length];
      ms += candidate.of.ms + HOST;
      if (ms > allowed) break;
      this.#next++;
      plan[candidate.part].set(candidate.of.index, () => this.#repeat(candidate));
    }
    return plan;
  }

  /** Whether the time allows the known answers to be tried. */
  get isDue(): boolean {
    this.#started ??= this.#now();
    return this.#spent <= CANARY_SHARE * (this.#now() - this.#started);
  }

  /** Runs the known answers, also where they are not due. */
  run(): void {
    this.#timed(() => {
      this.#known.run();
      this.#knownRun = this.#gpu.pace.last;
    });
  }

  /** What is to be read after a step. */
  get outputs(): Tensor[] {
    const known = this.#knownRun ? this.#known.outputs : [];
    return [
      ...known,
      ...this.#ran.map(({ candidate: { recheck, which } }) => recheck.hashes(which)),
    ];
  }

  /**
   * Judges what was read of {@linkcode StepCanaries.outputs}.
   *
   * @returns What is wrong, if anything is.
   */
  check(read: readonly Float32Array[]): CanaryFault | undefined {
    return this.#timed(() => this.#check(read));
  }

  /** What all of it did so far. */
  get counts(): CanaryCounts {
    const all = this.#rechecks.reduce((sum, { kernels }) => sum + kernels, 0);
    return { ...this.#counts, kernels: [this.#covered.size, all], ms: this.#spent };
  }

  /** Bytes of the known answers' program, beside the tensors that are named canaries. */
  get temporaryBytes(): number {
    return this.#known.temporaryBytes;
  }

  /** Frees what it keeps. */
  destroy(): void {
    for (const part of [this.#known, ...this.#rechecks]) part.destroy();
  }

  #repeat(candidate: Candidate): void {
    this.#timed(() => {
      const own = this.#gpu.pace.expected(candidate.recheck.cost(candidate.which));
      const submission = candidate.recheck.run(candidate.which);
      this.#ran.push({ candidate, submission, own });
    });
  }

  #check(read: readonly Float32Array[]): CanaryFault | undefined {
    const known = this.#knownRun, ran = this.#ran;
    this.#knownRun = undefined;
    this.#ran = [];
    let at = 0;
    if (known) {
      this.#spent += known.ms ?? known.expected;
      at = this.#known.outputs.length;
      const wrong = this.#known.check(read.slice(0, at));
      if (wrong) return { canary: "known answer", ...wrong };
      this.#counts.known++;
      this.sound = true;
    }
    for (const [i, { candidate: { of, part }, submission, own }] of ran.entries()) {
      // Without the run that the step needs anyway.
      const { expected, ms = expected } = submission;
      this.#spent += ms * Math.max(0, 1 - own / expected);
      this.#counts.repeated++;
      this.#covered.add(`${part} ${of.index}`);
      const { kernel, writes, index } = of;
      const which = `${kernel}, dispatch ${index} of the ${
        part === "update" ? "update" : "micro-batch"
      }`;
      if (Recheck.agree(read[at + i])) continue;
      const text = `${which}, wrote other bits to ${writes} when it ran again on the same memory`;
      return { canary: "second run", kernel, text };
    }
  }

  #timed<T>(fn: () => T): T {
    const start = this.#now();
    try {
      return fn();
    } finally {
      this.#spent += this.#now() - start;
    }
  }
}
