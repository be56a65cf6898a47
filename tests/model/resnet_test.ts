import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readCase, readManifest } from "../../scripts/common/golden/case.ts";
import { compare, passes } from "../../scripts/common/golden/compare.ts";
import { RUNNERS } from "../../scripts/common/golden/runners.ts";
import { featureEncoders } from "../../lib/eval/feature_encoder.ts";
import { sizeOf, type Tensor } from "../../lib/gpu.ts";
import {
  DinoModel,
  initialize,
  Parameters,
  type ParameterSpec,
  ResNet,
  type ResNetLayers,
  transformerOf,
} from "../../lib/model.ts";
import { resnetFlops, resnetParameters } from "../../lib/model/resnet_shape.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const FOLDER = fileURLToPath(new URL("../golden/golden_public", import.meta.url));

for (const name of ["resnet_18", "resnet_50", "resnetstep_18"]) {
  gpuTest(`${name} equals PyTorch`, async (gpu) => {
    const row = (await readManifest(FOLDER)).find((row) => row.name === name)!;
    const testCase = await readCase(FOLDER, row);
    const checks = compare(testCase, await RUNNERS[row.kind](gpu, testCase));
    assert.ok(checks.length > 60, "hardly anything was compared");
    const failed = checks.filter((check) => !passes(check));
    assert.deepEqual(failed.map(({ what, detail }) => `${what}: ${detail}`), []);
  }, ["read"]);
}

// Parameters of torchvision's models without `fc`, as its documentation counts them, and what they keep beside them.
const COUNTS: [ResNetLayers, parameters: number, running: number][] = [
  [18, 11_176_512, 9_600],
  [34, 21_284_672, 17_024],
  [50, 23_508_032, 53_120],
  [101, 42_500_160, 105_344],
  [152, 58_143_808, 151_424],
];
for (const [layers, parameters, running] of COUNTS) {
  Deno.test(`ResNet-${layers} has torchvision's parameters`, () => {
    const config = { layers, imageSize: 224, width: 64, inChans: 3 };
    const specs = new ResNet(config).specs();
    const count = (some: ParameterSpec[]) =>
      some.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const first = specs.findIndex(({ trainable }) => trainable !== false);
    assert.deepEqual([count(specs.slice(first)), count(specs.slice(0, first))], [
      parameters,
      running,
    ]);
    assert.ok(specs.slice(first).every(({ trainable }) => trainable !== false));
    assert.equal(resnetParameters(config), parameters + running);
  });
}

Deno.test("a ResNet has torchvision's names, shapes and initial values", () => {
  const specs = new Map(new ResNet({ layers: 50, imageSize: 32 }).specs().map((s) => [s.name, s]));
  const of = (name: string) => [specs.get(name)?.shape, specs.get(name)?.init];
  assert.deepEqual(of("conv1.weight"), [[64, 3, 7, 7], { normal: Math.sqrt(2 / (64 * 49)) }]);
  assert.deepEqual(of("bn1.running_var"), [[64], { constant: 1 }]);
  assert.deepEqual(of("layer1.0.downsample.0.weight")[0], [256, 64, 1, 1]);
  assert.deepEqual(of("layer2.0.downsample.1.running_mean"), [[512], { constant: 0 }]);
  assert.deepEqual(of("layer3.5.conv2.weight")[0], [256, 256, 3, 3]);
  assert.deepEqual(of("layer4.2.bn3.weight"), [[2048], { constant: 1 }]);
  assert.ok(!specs.has("layer1.1.downsample.0.weight") && !specs.has("fc.weight"));
});

Deno.test("the operations of a ResNet are those that are published", () => {
  // Multiply-adds at 224 px as torchvision's documentation gives them, of the classifier too.
  for (const [layers, giga] of [[18, 1.81], [34, 3.66], [50, 4.09], [101, 7.8], [152, 11.51]]) {
    const config = { layers: layers as ResNetLayers, imageSize: 224, width: 64, inChans: 3 };
    assert.ok(Math.abs(resnetFlops(config) / 2e9 - giga) < 0.02, `${layers}`);
  }
});

gpuTest(
  "what is read out of a ResNet: class and mean are the pooled map, cells are its places",
  async (gpu) => {
    const resnet = new ResNet({ layers: 18, imageSize: 72, width: 2 });
    const params = new Parameters(gpu, resnet.specs());
    params.load(initialize(resnet.specs(), 3));
    const images = gpu.tensor(normals(2 * 3 * 72 * 70, 4), [2, 3, 72, 70]);
    const words = ["class", "mean", "grid", "class+mean"] as const;
    const encoders = featureEncoders(
      gpu,
      resnet,
      params,
      words.map((feature) => ({ feature, name: feature })),
    );
    const made = gpu.scope(() => {
      const trace = new Map<string, Tensor>();
      resnet.forward(gpu, params, [images], { trace });
      return [...encoders.map(({ encode }) => encode(images)), trace.get("layer4.1")!];
    });
    const [cls, mean, grid, both, map] = await gpu.read(made);
    assert.deepEqual(made[4].shape, [2, 3, 3, 16]);
    const pooled = Array.from({ length: 32 }, (_, i) => {
      const at = (p: number) => map[(Math.floor(i / 16) * 9 + p) * 16 + i % 16];
      return Array.from({ length: 9 }, (_, p) => at(p)).reduce((sum, v) => sum + v / 9, 0);
    });
    assertClose(cls, pooled, 1e-6);
    assertClose(mean, pooled, 1e-6);
    assertClose(both.subarray(0, 16), pooled.slice(0, 16), 1e-6);
    // Cells of 4 × 4 on 3 × 3 places: the first one is the first place.
    assertClose(grid.subarray(0, 16), map.subarray(0, 16), 1e-6);
    const two = { feature: "class", lastBlocks: 2, name: "two" } as const;
    assert.throws(() => featureEncoders(gpu, resnet, params, [two]), /lastBlocks from 1 to 1/);
    assert.throws(() => transformerOf(resnet, "attention"), /for attention, but found a ResNet-18/);
    for (const t of [...made, images, params]) t.destroy();
  },
);

Deno.test("a ResNet says what does not fit", () => {
  assert.throws(
    () => new ResNet({ layers: 20 as 18, imageSize: 32 }),
    /18, 34, 50, 101, 152 but found 20/,
  );
  assert.throws(() => new ResNet({ layers: 18, imageSize: 0 }), /positive whole imageSize/);
  const resnet = new ResNet({ layers: 18, imageSize: 32 });
  assert.throws(
    () => new DinoModel(resnet, { outDim: 8 }, { ibot: "separate" }),
    /masked patches .* found a ResNet-18/,
  );
});
