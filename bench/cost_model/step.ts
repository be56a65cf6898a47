/**
 * The dispatches of a training step as a GPU would run them, recorded on one that computes nothing.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { feedOptionsOf, modelOf, trainerOptionsOf } from "../../lib/from_config.ts";
import { type Gpu, type KernelSource, record } from "../../lib/gpu.ts";
import type { DispatchOptions } from "../../lib/gpu/dispatch.ts";
import { DryGpu } from "../../lib/gpu/dry.ts";
import { noise } from "../../lib/plan/noise.ts";
import { Trainer } from "../../lib/train.ts";
import { Feed } from "../../lib/train/feed.ts";
import { declaredOf } from "./declared.ts";
import { footprintOf } from "./footprint.ts";
import type { PaperDispatch } from "./model.ts";

/** Pixels of a picture before it is cropped. */
const PIXELS = 256 ** 2;

/** As WebGPU's default limits, but for tensors of 2 GiB, which all four GPUs bind. */
const LIMITS = {
  maxBufferSize: 2 ** 40,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
  maxUniformBufferBindingSize: 65536,
};

/** A GPU on paper, by the fixed profile of GPUs; it notes its dispatches. */
export class PaperGpu extends DryGpu {
  readonly dispatches: PaperDispatch[] = [];

  constructor() {
    const info = { isFallbackAdapter: false, subgroupMinSize: 0, description: "on paper" };
    super(
      {
        device: { limits: LIMITS, features: new Set() },
        info,
        choices: new Map(),
        struck: new Set(),
      } as unknown as Gpu,
    );
  }

  override dispatch(source: KernelSource, options: DispatchOptions): void {
    super.dispatch(source, options);
    const { constants = {}, params = {}, bindings, workgroups: [x, y = 1, z = 1], flops = 0 } =
      options;
    this.dispatches.push({
      name: source.name,
      flops,
      bytes: Object.values(bindings).reduce((sum, tensor) => sum + (tensor?.bytes ?? 0), 0),
      groups: x * y * z,
      ...footprintOf(source, constants),
      ...declaredOf(source.name, constants, params),
    });
  }
}

/** A step of a configuration: crops, both networks, loss, gradients, update. */
export async function dispatchesOf(config: Config): Promise<PaperDispatch[]> {
  const gpu = new PaperGpu();
  const trainer = new Trainer(gpu, modelOf(config), trainerOptionsOf(config, gpu));
  const feed = new Feed(gpu, noise(config, { largestPixels: PIXELS }), feedOptionsOf(config));
  gpu.dispatches.length = 0;
  await record(gpu, () => trainer.microStep(feed.views(), feed.masks));
  const micro = gpu.dispatches.length * (config.training.gradient_accumulation_steps - 1);
  if (micro) throw new Error("Expected a step of one micro-batch");
  await record(gpu, () => trainer.update());
  return gpu.dispatches;
}
