import assert from "node:assert/strict";
import { patchEmbed, patchify } from "../../lib/ops/patch_embed.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { doubled, values } from "../support/ops.ts";

type Images = [batch: number, channels: number, height: number, width: number];

/** Index in images of element (c, y, x) of patch (row, col), for every element of every patch. */
function patchIndices([batch, channels, height, width]: Images, patch: number): number[] {
  const indices: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let row = 0; (row + 1) * patch <= height; row++) {
      for (let col = 0; (col + 1) * patch <= width; col++) {
        for (let c = 0; c < channels; c++) {
          for (let y = row * patch; y < (row + 1) * patch; y++) {
            for (let x = col * patch; x < (col + 1) * patch; x++) {
              indices.push(((b * channels + c) * height + y) * width + x);
            }
          }
        }
      }
    }
  }
  return indices;
}

// One pixel; a row and a column that no patch covers; one patch per image; whole vec4s.
const CASES: { shape: Images; patch: number; dim: number }[] = [
  { shape: [1, 1, 1, 1], patch: 1, dim: 1 },
  { shape: [2, 3, 5, 7], patch: 2, dim: 5 },
  { shape: [3, 1, 4, 5], patch: 4, dim: 3 },
  { shape: [2, 3, 9, 12], patch: 8, dim: 20 },
];
for (const { shape, patch, dim } of CASES) {
  const [batch, channels, height, width] = shape;
  const indices = patchIndices(shape, patch);
  const size = channels * patch * patch;
  const count = indices.length / size / batch;

  gpuTest(`patchify() copies pixels of [${shape}], patch ${patch}, there and back`, async (gpu) => {
    const images = normals(batch * channels * height * width, 1), dy = normals(indices.length, 2);
    const [y, back] = await values(gpu, () => {
      const { y, back } = patchify(gpu, gpu.tensor(images, shape), patch);
      assert.deepEqual(y.shape, [batch * count, size]);
      return [y, back(gpu.tensor(dy, y.shape))];
    });
    assert.deepEqual([...y], indices.map((i) => images[i]));
    const expected = new Float32Array(images.length);
    indices.forEach((to, from) => expected[to] = dy[from]);
    assert.deepEqual(back, expected);
  });

  const tokens = 1 + count;
  /** Tokens of images, weight, bias, class token, positions and mask token. */
  const embed = (mask: ArrayLike<number>) => (...inputs: Float64Array[]) => {
    const [images, w, b, cls, pos, maskToken] = inputs;
    const out = new Float64Array(batch * tokens * dim);
    for (let i = 0; i < out.length; i++) {
      const [d, t, n] = [i % dim, Math.floor(i / dim) % tokens, Math.floor(i / (tokens * dim))];
      const at = n * count + t - 1;
      const masked = t > 0 && mask[at] !== 0;
      let sum = t === 0 ? cls[d] : masked ? maskToken[d] : b[d];
      for (let e = 0; t > 0 && !masked && e < size; e++) {
        sum += w[d * size + e] * images[indices[at * size + e]];
      }
      out[i] = sum + pos[t * dim + d];
    }
    return out;
  };
  const sizes = [batch * channels * height * width, dim * size, dim, dim, tokens * dim, dim];
  const inputs = sizes.map((n, i) => normals(n, i + 1));
  const dy = normals(batch * tokens * dim, 9);
  const masks: [string, number[] | undefined][] = [
    ["", undefined],
    [", some masked", Array.from({ length: batch * count }, (_, i) => i % 3 === 1 ? i : 0)],
    [", all masked", Array<number>(batch * count).fill(1)],
    [", none masked", Array<number>(batch * count).fill(0)],
  ];
  for (const [which, mask] of masks) {
    gpuTest(`patchEmbed() equals f64 both ways, for [${shape}]${which}`, async (gpu) => {
      const [images, w, b, cls, pos, maskToken] = inputs;
      const [y, dPos, dImages, dw, db, dCls, dMask] = await values(gpu, () => {
        const weight = {
          data: gpu.tensor(w, [dim, channels, patch, patch]),
          grad: gpu.empty([dim, channels, patch, patch]),
        };
        const bias = { data: gpu.tensor(b), grad: gpu.empty([dim]) };
        const cls1 = { data: gpu.tensor(cls, [1, 1, dim]), grad: gpu.empty([1, 1, dim]) };
        const zeros = new Float32Array(dim);
        const token = { data: gpu.tensor(maskToken, [1, dim]), grad: gpu.tensor(zeros, [1, dim]) };
        const { y, backward } = patchEmbed(
          gpu,
          gpu.tensor(images, shape),
          { weight, bias, cls: cls1 },
          gpu.tensor(pos, [1, tokens, dim]),
          undefined,
          mask && { mask: gpu.tensor(Uint32Array.from(mask), [batch, count]), token },
        );
        const gradient = gpu.tensor(dy, y.shape);
        assert.equal(backward(gradient).images, undefined);
        const grads = backward(gradient, true);
        return [y, grads.pos!, grads.images!, weight.grad, bias.grad, cls1.grad, token.grad];
      });
      const reference = embed(mask ?? new Uint8Array(batch * count));
      assertClose(y, reference(...inputs.map((t) => Float64Array.from(t))), 2e-6, "y");
      assertGradient(dImages, reference, inputs, 0, dy, 2e-6, "images");
      assertGradient(dw, reference, inputs, 1, doubled(dy), 2e-6, "weight, added up");
      assertGradient(db, reference, inputs, 2, doubled(dy), 2e-6, "bias, added up");
      assertGradient(dCls, reference, inputs, 3, doubled(dy), 2e-6, "cls, added up");
      assertGradient(dPos, reference, inputs, 4, dy, 2e-6, "pos");
      assertGradient(dMask, reference, inputs, 5, doubled(dy), 2e-6, "mask token, added up");
    });
  }
}

gpuTest("patchEmbed() lets no number of a masked patch through, however odd", async (gpu) => {
  const [, dw] = await values(gpu, () => {
    const weight = {
      data: gpu.tensor(Float32Array.of(1, 2), [2, 1, 1, 1]),
      grad: gpu.empty([2, 1, 1, 1]),
    };
    const zeros = () => ({ data: gpu.tensor(new Float32Array(2)) });
    const { y, backward } = patchEmbed(
      gpu,
      gpu.tensor(Float32Array.of(3e38, 1), [1, 1, 1, 2]),
      { weight, bias: zeros(), cls: zeros() },
      gpu.tensor(new Float32Array(6), [1, 3, 2]),
      undefined,
      { mask: gpu.tensor(Uint32Array.of(1, 0), [1, 2]), token: zeros() },
    );
    backward(gpu.tensor(Float32Array.of(0, 0, 5, 6, 7, 8), [1, 3, 2]));
    return [y, weight.grad];
  });
  assert.deepEqual([...dw], [7, 8]);
});

gpuTest("patchEmbed() refuses images below a patch and a wrong number of positions", (gpu) => {
  gpu.scope(() => {
    const weight = { data: gpu.empty([3, 1, 4, 4]) };
    const weights = { weight, bias: { data: gpu.empty([3]) }, cls: { data: gpu.empty([1, 1, 3]) } };
    const pos = gpu.empty([1, 2, 3], "pos");
    assert.throws(
      () => patchEmbed(gpu, gpu.empty([1, 1, 4, 3], "images"), weights, pos),
      /at least 4×4 pixels but found images\[1, 1, 4, 3\]/,
    );
    assert.throws(
      () => patchEmbed(gpu, gpu.empty([1, 1, 4, 8]), weights, pos),
      /expected 3 positions of 3 dimensions but found pos\[1, 2, 3\]/,
    );
    const masked = { mask: gpu.empty([1, 2], "mask"), token: { data: gpu.empty([1, 3], "token") } };
    assert.throws(
      () => patchEmbed(gpu, gpu.empty([1, 1, 4, 4]), weights, pos, undefined, masked),
      /expected a mask \[1, 1\] and a mask token of 3 dimensions but found mask\[1, 2\] and token\[1, 3\]/,
    );
  });
});
