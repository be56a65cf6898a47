/**
 * The eager queue: dispatches of unrecorded ops, gathered until somebody reads, writes or frees, or until they are
 * enough for a submission.
 *
 * @module
 */
import type { Dispatch } from "./dispatch.ts";
import { divide, mostParts } from "./divide.ts";
import type { KernelCache } from "./kernel.ts";
import type { Cost, Pace } from "./pace.ts";
import type { SubmitQueue } from "./submit_queue.ts";

const SLOT = 256;
const SLOTS = 256;

/** Queue of immediate dispatches. */
export class EagerQueue {
  readonly #device: GPUDevice;
  readonly #kernels: KernelCache;
  readonly #pace: Pace;
  readonly #queue: SubmitQueue;
  #params: GPUBuffer | undefined;
  #staged = new Uint8Array(SLOT * SLOTS);
  #used = 0;
  #written = 0;

  /** A queue in front of a device's. */
  constructor(device: GPUDevice, kernels: KernelCache, pace: Pace, queue: SubmitQueue) {
    this.#device = device;
    this.#kernels = kernels;
    this.#pace = pace;
    this.#queue = queue;
    queue.onSubmit = () => this.#write();
  }

  /** Encodes one dispatch, in parts where it would last too long. */
  dispatch(dispatch: Dispatch): void {
    const cost = this.#pace.costOf(dispatch);
    const count = this.#pace.parts(dispatch, cost, mostParts(dispatch));
    const parts = divide(this.#kernels, dispatch, count);
    for (const part of parts) {
      this.#put(part, parts.length > 1 ? this.#pace.costOf(dispatch, 1 / parts.length) : cost);
    }
  }

  /** Submits what was encoded. */
  flush(): void {
    this.#queue.flush();
    this.#used = this.#written = 0;
  }

  #put({ pipeline, tensors, params, workgroups }: Dispatch, cost: Cost) {
    if (this.#used === SLOTS) this.flush();
    this.#params ??= this.#device.createBuffer({
      size: SLOT * SLOTS,
      usage: 0x40 | 0x08,
      label: "params",
    });
    const offset = this.#used++ * SLOT;
    this.#staged.set(params, offset);
    const entries = [
      { buffer: this.#params, offset, size: params.byteLength },
      ...tensors.map((t) => t.binding()),
    ];
    const group = this.#device.createBindGroup({
      layout: pipeline.layout,
      entries: entries.map((resource, binding) => ({ binding, resource })),
    });
    this.#queue.put({ pipeline: pipeline.pipeline, group, workgroups, cost });
  }

  /** Uploads the uniforms of what is about to be submitted. */
  #write(): void {
    const [from, to] = [this.#written * SLOT, this.#used * SLOT];
    if (from === to) return;
    this.#device.queue.writeBuffer(this.#params!, from, this.#staged, from, to - from);
    this.#written = this.#used;
  }
}
