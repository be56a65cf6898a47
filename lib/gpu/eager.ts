/**
 * The eager queue: dispatches of unrecorded ops, gathered into one submit until somebody reads, writes or
 * frees.
 *
 * @module
 */
import type { Dispatch } from "./dispatch.ts";

const SLOT = 256;
const SLOTS = 256;

/** Queue of immediate dispatches. */
export class EagerQueue {
  #device: GPUDevice;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #params: GPUBuffer | undefined;
  #staged = new Uint8Array(SLOT * SLOTS);
  #used = 0;

  /** A queue on a device. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Encodes one dispatch. */
  dispatch({ pipeline, tensors, params, workgroups }: Dispatch): void {
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
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    this.#pass.setPipeline(pipeline.pipeline);
    this.#pass.setBindGroup(0, group);
    this.#pass.dispatchWorkgroups(...workgroups);
  }

  /** Submits what was encoded. */
  flush(): void {
    if (!this.#encoder) return;
    this.#pass!.end();
    this.#device.queue.writeBuffer(this.#params!, 0, this.#staged, 0, this.#used * SLOT);
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = this.#pass = undefined;
    this.#used = 0;
  }
}
