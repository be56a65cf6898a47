/**
 * The one way to the device: dispatches are gathered and submitted before they would last too long together.
 *
 * @module
 */
import type { Cost, Pace } from "./pace.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** A dispatch ready to be put into a pass. */
export interface Encoded {
  /** The compiled kernel. */
  pipeline: GPUComputePipeline;
  /** Its uniforms and tensors. */
  group: GPUBindGroup;
  /** Workgroups per dimension. */
  workgroups: readonly [number, number, number];
  /** What it is expected to take. */
  cost: Cost;
}

/** Puts a dispatch into a pass. */
export function encode(
  pass: GPUComputePassEncoder,
  { pipeline, group, workgroups }: Encoded,
): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
}

/** Gathers dispatches into submissions. */
export class SubmitQueue {
  /** Called before every submit; what it writes is there when the dispatches run. */
  onSubmit?: () => void;
  readonly #device: GPUDevice;
  readonly #pace: Pace;
  readonly #stopwatch: Stopwatch;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #costs: Cost[] = [];
  #ms = 0;
  #timed = false;

  /** A queue of a device. */
  constructor(device: GPUDevice, pace: Pace, stopwatch: Stopwatch) {
    this.#device = device;
    this.#pace = pace;
    this.#stopwatch = stopwatch;
  }

  /** Adds a dispatch; what was gathered goes before it where both would last too long. */
  put(encoded: Encoded): void {
    const ms = this.#pace.expected(encoded.cost);
    if (this.#ms + ms > this.#pace.maxMs) this.flush();
    this.#ms += ms;
    this.#costs.push(encoded.cost);
    encode(this.#pass ??= this.#begin(), encoded);
  }

  /** Submits what was gathered. */
  flush(): void {
    if (!this.#encoder) return;
    this.#pass!.end();
    this.onSubmit?.();
    const submission = this.#pace.submit(this.#costs, this.#ms);
    if (this.#timed) this.#stopwatch.started(submission);
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = this.#pass = undefined;
    [this.#costs, this.#ms] = [[], 0];
  }

  #begin(): GPUComputePassEncoder {
    const clock = this.#stopwatch.begin();
    this.#timed = clock !== undefined;
    this.#encoder = this.#device.createCommandEncoder();
    return this.#encoder.beginComputePass(
      clock && {
        timestampWrites: {
          querySet: clock.querySet,
          beginningOfPassWriteIndex: clock.begin,
          endOfPassWriteIndex: clock.end,
        },
      },
    );
  }
}
