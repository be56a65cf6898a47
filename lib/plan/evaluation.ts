/**
 * What an evaluation takes on the GPU: its forward passes run eagerly, so all that one of them makes lives at once.
 *
 * @module
 */
import { applyOps, type AugmentOp } from "../augmentation.ts";
import type { Config } from "../config.ts";
import { planesOf } from "../data/image.ts";
import { featureEncoder } from "../eval/feature_encoder.ts";
import { DryGpu } from "../gpu/dry.ts";
import { type Gpu, record } from "../gpu.ts";
import { Parameters } from "../model.ts";
import { modelOf, readoutOf } from "../from_config.ts";

/** Bytes of a batch of an evaluation, beside the weights, with pictures of the largest size. */
export async function evaluationBytes(
  gpu: Gpu,
  config: Config,
  largestPixels: number,
): Promise<number> {
  const dry = new DryGpu(gpu);
  const { backbone } = modelOf(config);
  const params = new Parameters(dry, backbone.specs());
  const encoder = featureEncoder(dry, "teacher", backbone, params, readoutOf(config));
  const before = dry.memory.liveBytes;
  const most = Math.floor(gpu.limits.maxStorageBufferBindingSize / encoder.imageBytes);
  const { batch_size, max_images } = config.evaluation;
  const batch = Math.max(1, Math.min(batch_size, max_images ?? Infinity, most));

  const { in_chans: channels } = config.model;
  const { normalize_mean, normalize_std } = config.augmentation;
  const side = Math.max(1, Math.floor(Math.sqrt(largestPixels)));
  const pixels = dry.persistent([batch * largestPixels * planesOf(channels)], "pixels");
  const table = dry.persistent([batch, 4], "table");
  const ops: AugmentOp[] = [
    { op: "resized_crop", top: 0, left: 0, height: side, width: side, size: encoder.size },
    { op: "normalize", mean: [...normalize_mean], std: [...normalize_std] },
  ];
  const views = Array.from({ length: batch }, () => ({ width: side, height: side, ops }));
  const pass = await record(dry, () => {
    encoder.encode(applyOps(dry, pixels, table, views, channels));
  });
  return dry.memory.liveBytes - before - pass.temporaryBytes + pass.unplannedBytes;
}
