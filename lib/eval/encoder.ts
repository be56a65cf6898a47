/**
 * Encoders: from images to features, alone or several on one forward pass.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import type { LastTokens } from "../model/backbone.ts";

/**
 * Turns images into features.
 *
 * @category Evaluation
 */
export interface Encoder {
  /** Shown in reports. */
  name: string;
  /** Side of its images in pixels. */
  size: number;
  /** Bytes of the largest tensor that one image needs: with the adapter's binding they limit a batch. */
  imageBytes: number;
  /** Images [n, C, size, size], normalised → features [n, D]. */
  encode(images: Tensor): Tensor;
  /** Where it reads a forward pass that other encoders read too: encoders of the same pass run it once. */
  shared?: SharedPass;
}

/** A forward pass, and what an encoder reads of it. */
export interface SharedPass {
  /** Images [n, C, size, size] → tokens. The same function for all that share it. */
  pass: (images: Tensor) => LastTokens;
  /** Tokens → features [n, D]. */
  read: (tokens: LastTokens) => Tensor;
}

/** The picture's own pixels at 16 × 16, of C channels: the baseline that a model has to beat. */
export function pixelEncoder(channels = 3): Encoder {
  return {
    name: "raw pixels",
    size: 16,
    imageBytes: 4 * channels * 16 * 16,
    encode: (images) => images.view([images.shape[0], images.size / images.shape[0]]),
  };
}

/**
 * Features of the same pictures by several encoders: pictures are made once for all that take a size, and each
 * forward pass is run once.
 *
 * @param imagesOf The pictures at a side in pixels, [n, C, size, size].
 * @returns [n, D] of each encoder, in their order.
 */
export function encodeEach(
  gpu: Gpu,
  encoders: readonly Encoder[],
  imagesOf: (size: number) => Tensor,
): Tensor[] {
  const features: Tensor[] = [];
  for (const ofSize of Map.groupBy(encoders.keys(), (e) => encoders[e].size).values()) {
    const found = gpu.scope(() => {
      const images = imagesOf(encoders[ofSize[0]].size);
      const passes = Map.groupBy(ofSize, (e) => encoders[e].shared?.pass ?? encoders[e]);
      return [...passes.values()].map((group) =>
        gpu.scope(() => readEach(encoders, group, images))
      );
    });
    found.flat().forEach(({ e, rows }) => features[e] = rows);
  }
  return features;
}

/** Features of the encoders at some indices, which share a forward pass. */
function readEach(encoders: readonly Encoder[], group: readonly number[], images: Tensor) {
  const { shared, encode } = encoders[group[0]];
  if (!shared) return [{ e: group[0], rows: encode(images) }];
  const tokens = shared.pass(images);
  return group.map((e) => ({ e, rows: encoders[e].shared!.read(tokens) }));
}
