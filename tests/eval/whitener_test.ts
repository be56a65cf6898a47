import assert from "node:assert/strict";
import { fitWhitening, Whitener, whiteningScale } from "../../lib/eval/whiten.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";

const featuresOf = (data: ArrayLike<number>, dim: number) => ({
  data: Float32Array.from(data),
  shape: [data.length / dim, dim],
});

gpuTest("Whitener equals its formula in float64, in one piece and in several", async (gpu) => {
  for (const [rows, dim, judged] of [[50, 7, 3], [9, 70, 12], [40, 33, 1]]) {
    const x = normals(rows * dim, dim).map((value, i) => 100 + value * (1 + i % 5));
    const whitening = fitWhitening(featuresOf(x, dim), { explained: 1 });
    const { mean, components } = whitening, scale = whiteningScale(whitening), k = scale.length;
    const y = normals(judged * dim, 9).map((value) => 100 + value);
    const centred = Float64Array.from(y, (value, i) => value - mean[i % dim]);
    const expected = matmulF64(centred, components, [judged, dim, k], false, true)
      .map((value, i) => value * scale[i % k]);
    for (const chunk of [undefined, 2 * dim]) {
      const whitener = new Whitener(gpu, whitening, chunk);
      const out = await whitener.apply(featuresOf(y, dim));
      assert.deepEqual(out.shape, [judged, k]);
      assertClose(out.data, expected, 1e-5);
      whitener.destroy();
    }
  }
});

gpuTest("Whitener refuses features of another width, and such that are not finite", async (gpu) => {
  const whitener = new Whitener(gpu, fitWhitening(featuresOf(normals(30, 1), 3)));
  await assert.rejects(
    whitener.apply(featuresOf(normals(8, 1), 4)),
    /Expected features \[n, 3\] for this whitening but found D 4/,
  );
  await assert.rejects(whitener.apply(featuresOf([1, NaN, 2], 3)), /found NaN in row 0/);
  whitener.destroy();
});
