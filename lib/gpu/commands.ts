/**
 * Dispatches ready to be queued: with their bind groups, their uniforms in one buffer, and in parts where one would
 * last too long.
 *
 * @module
 */
import type { Dispatch } from "./dispatch.ts";
import { divide, mostParts } from "./divide.ts";
import type { Gpu } from "./gpu.ts";
import type { Cost } from "./pace.ts";
import type { Encoded } from "./submit_queue.ts";

/** What a program puts into the queue of its device, again and again. */
export class Commands {
  /** What the dispatches became, in their order. */
  readonly encoded: readonly Encoded[];
  readonly #gpu: Pick<Gpu, "device" | "kernels" | "limits" | "pace" | "queue">;
  readonly #dispatches: readonly Dispatch[];
  /** Those of dispatches that are divided, by their place. */
  readonly #divided = new Map<number, Encoded[]>();
  readonly #params: GPUBuffer[] = [];

  /**
   * Encodes dispatches, whose tensors have their memory.
   *
   * @throws {HatchlingError} When one of them has none.
   */
  constructor(
    gpu: Pick<Gpu, "device" | "kernels" | "limits" | "pace" | "queue">,
    dispatches: readonly Dispatch[],
  ) {
    this.#gpu = gpu;
    this.#dispatches = dispatches;
    this.encoded = this.#encode(dispatches, dispatches.map((d) => gpu.pace.costOf(d)));
  }

  /** Adds a dispatch to the queue, in parts where it would last too long. */
  put(i: number): void {
    const { pace, queue } = this.#gpu;
    const encoded = this.encoded[i];
    if (pace.expected(encoded.cost) <= pace.maxMs) return queue.put(encoded);
    for (const part of this.#divide(i)) queue.put(part);
  }

  /** Frees the uniforms. */
  destroy(): void {
    for (const buffer of this.#params) buffer.destroy();
  }

  #divide(i: number): readonly Encoded[] {
    const { kernels, pace } = this.#gpu;
    const whole = this.encoded[i], dispatch = this.#dispatches[i], most = mostParts(dispatch);
    const count = Math.min(most, pace.parts(dispatch, whole.cost, most));
    if (count < 2) return [whole];
    let found = this.#divided.get(i);
    // Fewer parts will do where more are there.
    if (!found || found.length < count) {
      const parts = divide(kernels, dispatch, count);
      const cost = pace.costOf(dispatch, 1 / parts.length);
      this.#divided.set(i, found = this.#encode(parts, parts.map(() => cost)));
    }
    return found;
  }

  #encode(dispatches: readonly Dispatch[], costs: readonly Cost[]): Encoded[] {
    const { device, limits } = this.#gpu;
    const bindings = dispatches.map(({ tensors }) => tensors.map((t) => t.binding()));
    const stride = Math.max(256, limits.minUniformBufferOffsetAlignment);
    const buffer = packAll(device, dispatches, stride);
    this.#params.push(buffer);
    return dispatches.map(({ pipeline, params, workgroups }, i) => {
      const entries = [{ buffer, offset: i * stride, size: params.byteLength }, ...bindings[i]];
      const group = device.createBindGroup({
        label: pipeline.name,
        layout: pipeline.layout,
        entries: entries.map((resource, binding) => ({ binding, resource })),
      });
      return { pipeline: pipeline.pipeline, group, workgroups, cost: costs[i] };
    });
  }
}

/** All params in one uniform buffer. */
function packAll(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  stride: number,
): GPUBuffer {
  const size = Math.max(stride, stride * dispatches.length);
  const buffer = device.createBuffer({
    size,
    usage: 0x40,
    mappedAtCreation: true,
    label: "params",
  });
  const bytes = new Uint8Array(buffer.getMappedRange());
  dispatches.forEach((d, i) => bytes.set(d.params, i * stride));
  buffer.unmap();
  return buffer;
}
