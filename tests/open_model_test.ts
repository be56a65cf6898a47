/** A model opened by a script: what it gives, and that the next step takes it. */
import assert from "node:assert/strict";
import { configDefaults, parseConfig, stringifyConfig } from "../lib/config.ts";
import { functionDataset } from "../lib/data.ts";
import { openModel } from "../lib/embed.ts";
import { modelOf } from "../lib/from_config.ts";
import { saveWeights } from "../lib/io.ts";
import { initialize, Parameters } from "../lib/model.ts";
import { gpuTest } from "./support/gpu.ts";
import { withFolder } from "./support/permissions.ts";

const CONFIG = parseConfig(`
augmentation: { global_crop_size: 16, local_crop_size: 8 }
model: { backbone: custom, patch_size: 8, dim: 8, depth: 1, heads: 2, projection_output_dim: 16 }
evaluation: { batch_size: 4 }`);

const PICTURES = functionDataset({
  name: "waves",
  length: 6,
  maxPixels: 400,
  picture: (i) => {
    const data = Uint8Array.from({ length: 1200 }, (_, j) => 128 + 127 * Math.sin((i + 1) * j / 9));
    return { width: 20, height: 20, channels: 3, data };
  },
});

gpuTest("a run is opened, encodes, and is saved and opened again", async (gpu) => {
  await withFolder(async (folder) => {
    const model = modelOf(CONFIG);
    const params = new Parameters(gpu, model.specs());
    params.load(initialize(model.specs(), 1));
    await saveWeights(`${folder}/teacher.safetensors`, params);
    await Deno.writeTextFile(`${folder}/config.yaml`, stringifyConfig(CONFIG));

    const opened = await openModel(folder);
    assert.deepEqual(opened.config, CONFIG);
    assert.deepEqual(opened.weights, await params.save());
    assert.ok(opened.hasHead && opened.folder === folder);
    const { whole, raw, indices } = await opened.encode(gpu, PICTURES);
    assert.deepEqual([whole.shape, indices], [[6, 8], [0, 1, 2, 3, 4, 5]]);
    for (let row = 0; row < 6; row++) {
      const length = Math.hypot(...whole.data.subarray(8 * row, 8 * row + 8));
      assert.ok(Math.abs(length - 1) < 1e-5);
    }

    await Deno.copyFile(`${folder}/teacher.safetensors`, `${folder}/student.safetensors`);
    assert.equal((await openModel(`${folder}#student`)).file, `${folder}/student.safetensors`);
    assert.equal((await openModel(`${folder}#teacher`)).file, `${folder}/teacher.safetensors`);
    await assert.rejects(openModel(`${folder}#head`), /Expected #student or #teacher behind the/);

    // What it gives can be saved, and opened without a folder of its own.
    const again = opened.params(gpu);
    await saveWeights(`${folder}/copy.safetensors`, again);
    const copy = await openModel(`${folder}/copy.safetensors`, { config: opened.config });
    const some = await copy.encode(gpu, PICTURES, { indices: [4, 1], params: again });
    assert.deepEqual(some.indices, [4, 1]);
    assert.deepEqual(some.raw.whole.data.subarray(0, 8), raw.whole.data.subarray(32, 40));
    for (const p of [params, again]) p.destroy();
  });
}, ["read", "write"]);

gpuTest("a configuration that does not fit the weights is refused", async (gpu) => {
  await withFolder(async (folder) => {
    const model = modelOf(CONFIG);
    const params = new Parameters(gpu, model.specs());
    await saveWeights(`${folder}/w.safetensors`, params);
    await assert.rejects(
      openModel(`${folder}/w.safetensors`),
      /Expected the number of attention heads of .*w\.safetensors.* width 8 tell: give a configuration with model\.heads N/,
    );
    await assert.rejects(
      openModel(`${folder}/w.safetensors`, { overrides: [] }),
      /width 8 tell: say it, --model\.heads N/,
    );
    await assert.rejects(
      openModel(`${folder}/w.safetensors`, { student: true }),
      /beside the option student but found the weights/,
    );
    await assert.rejects(
      openModel(`${folder}/w.safetensors`, { config: configDefaults() }),
      /Expected the weights of this model/,
    );
    params.destroy();
  });
}, ["read", "write"]);
