/** A model from anywhere: features are those of `deno task embed`, to the bit. */
import assert from "node:assert/strict";
import { parseConfig, stringifyConfig } from "../lib/config.ts";
import { decodePicture } from "../lib/data/decode.ts";
import { encodeWhitening } from "../lib/eval/whitening_file.ts";
import { fitWhitening } from "../lib/eval/whiten.ts";
import { modelOf, readoutOf } from "../lib/from_config.ts";
import type { Gpu } from "../lib/gpu.ts";
import { saveWeights } from "../lib/io.ts";
import { load, type LoadOptions, type ModelSource, type PictureModel } from "../lib/load.ts";
import { initialize, Parameters } from "../lib/model.ts";
import { modelHash } from "../lib/open_model/model_hash.ts";
import webp from "./data/fixtures/pictures/webp_lossless_alpha.webp" with { type: "bytes" };
import jpeg from "./data/fixtures/progressive.jpg" with { type: "bytes" };
import { plain } from "./data/support.ts";
import { gpuTest } from "./support/gpu.ts";
import { withFolder } from "./support/permissions.ts";
import { script } from "./support/scripts.ts";

const PICTURES: Record<string, Uint8Array<ArrayBuffer>> = {
  "a.png": plain(30, 20, [250, 120, 3]) as Uint8Array<ArrayBuffer>,
  "b.jpg": jpeg,
  "c.webp": webp,
};

const CONFIG = parseConfig(`
data: { max_pixels: 300 }
augmentation: { global_crop_size: 16, local_crop_size: 8 }
model: { backbone: custom, patch_size: 8, dim: 8, depth: 1, heads: 2, projection_output_dim: 16 }`);

/** A run that was never trained, in a folder of its own. */
async function run(gpu: Gpu, folder: string): Promise<Map<string, Float32Array>> {
  const params = new Parameters(gpu, modelOf(CONFIG).specs());
  const weights = initialize(modelOf(CONFIG).specs(), 1);
  params.load(weights);
  await saveWeights(`${folder}/teacher.safetensors`, params);
  params.destroy();
  await Deno.writeTextFile(`${folder}/config.yaml`, stringifyConfig(CONFIG));
  return weights;
}

/** What a model makes of the pictures. */
async function featuresOf(
  gpu: Gpu,
  source: ModelSource,
  options: LoadOptions = {},
  use = (model: PictureModel) => model.features(Object.values(PICTURES)),
): Promise<Float32Array[]> {
  using model = await load(source, { ...options, gpu });
  return await use(model);
}

gpuTest("load() takes a run, a file, its address and its bytes", async (gpu) => {
  await withFolder(async (folder) => {
    await run(gpu, folder);
    await Deno.mkdir(`${folder}/pictures`);
    for (const [name, bytes] of Object.entries(PICTURES)) {
      await Deno.writeFile(`${folder}/pictures/${name}`, bytes);
    }
    const { code, stderr } = await script("embed", folder, [
      ...["pictures", "--weights", ".", "--out", "f.jsonl"],
    ]);
    assert.equal(code, 0, stderr);
    const lines = (await Deno.readTextFile(`${folder}/f.jsonl`)).trim().split("\n");
    const expected = lines.map((line) => Float32Array.from(JSON.parse(line).feature));
    assert.ok(expected.length === 3 && expected[0].length === 8);
    assert.notDeepEqual(expected[0], expected[1]);

    const file = `${folder}/teacher.safetensors`, bytes = await Deno.readFile(file);
    const config = await Deno.readTextFile(`${folder}/config.yaml`);
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const path = new URL(request.url).pathname;
      if (path.startsWith("/broken/")) return new Response("", { status: 500 });
      return Deno.readFile(folder + path.replace("/run", "")).then(
        (body) => new Response(body),
        () => new Response("", { status: 404 }),
      );
    });
    const base = `http://127.0.0.1:${server.addr.port}`;
    try {
      const sources: [ModelSource, LoadOptions?][] = [
        [folder],
        [file],
        [new URL(`file://${file}`)],
        [`${base}/run`],
        [`${base}/run/?a=1`],
        [`${base}/run/teacher.safetensors`],
        [bytes, { config }],
        [bytes.buffer, { config: CONFIG }],
        [new File([bytes], "mine.safetensors"), { config }],
      ];
      for (const [source, options] of sources) {
        assert.deepEqual(await featuresOf(gpu, source, options), expected, String(source));
      }
      await assert.rejects(load(`${base}/none`, { gpu }), /found none of model\.safetensors/);
      await assert.rejects(load(`${base}/x.pth`, { gpu }), /Expected weights at .*x\.pth/);
      await assert.rejects(
        load(`${base}/broken/`, { gpu }),
        /config\.yaml to be there.*status 500/,
      );
    } finally {
      await server.shutdown();
    }
    await assert.rejects(load("http://127.0.0.1:1/a.pth", { gpu }), /check the address/);
    await assert.rejects(load(`${folder}/none`, { gpu }), /does not exist/);
    await Deno.remove(`${folder}/config.yaml`);
    for (const alone of [bytes, file]) {
      await assert.rejects(load(alone, { gpu }), (error: Error) => {
        assert.match(error.message, /width 8 tell: give a configuration with model\.heads N/);
        assert.doesNotMatch(error.message, /--/);
        return true;
      });
    }
    await assert.rejects(load(bytes.slice(0, 99), { gpu, config }), /the bytes given/);
  });
}, ["read", "write", "run", "env", "net"]);

gpuTest("pictures are files, blobs, or decoded; each is named when it is damaged", async (gpu) => {
  await withFolder(async (folder) => {
    await run(gpu, folder);
    using model = await load(folder, { gpu });
    const png = PICTURES["a.png"];
    const feature = await model.features(png);
    const { width, height, data } = await decodePicture(png, Infinity);
    const imageData = { width, height, data: new Uint8ClampedArray(data) };
    const same = [new Blob([png]), png.buffer.slice(png.byteOffset), imageData];
    for (const found of await model.features(same)) assert.deepEqual(found, feature);
    assert.deepEqual(await model.features([]), []);

    const [unit] = await model.features([png], { normalize: true, feature: "quad" });
    assert.ok(unit.length === 32 && Math.abs(Math.hypot(...unit) - 1) < 1e-6);
    await assert.rejects(
      model.features([png, png.slice(0, 60)]),
      /^HatchlingError: Picture 1: .*PNG/,
    );
    const channels = { width: 2, height: 1, channels: 2, data: new Uint8Array(4) };
    await assert.rejects(model.features(channels), /Picture 0: Expected a picture of 3 channels/);
  });
}, ["read", "write", "env"]);

gpuTest("features are whitened by what lies beside the weights", async (gpu) => {
  await withFolder(async (folder) => {
    const weights = await run(gpu, folder);
    using model = await load(folder, { gpu });
    const pictures = Object.values(PICTURES);
    await assert.rejects(
      model.features(pictures, { whiten: true }),
      /Expected the whitening whitening-class\.safetensors beside .*whiten: false/,
    );
    const plain = await model.features(pictures);
    const data = Float32Array.from(plain.flatMap((row) => [...row]));
    const whitening = fitWhitening({ data, shape: [3, 8] });
    const of = { feature: "class", model: modelHash(weights, CONFIG, readoutOf(CONFIG)) };
    const path = `${folder}/whitening-class.safetensors`;
    await Deno.writeFile(path, encodeWhitening(whitening, of));
    const whitened = await model.features(pictures, { whiten: true });
    const mean = whitened[0].map((_, i) => whitened.reduce((sum, row) => sum + row[i], 0) / 3);
    assert.ok(mean.every((x) => Math.abs(x) < 1e-4), `${mean}`);
    assert.notDeepEqual(whitened[0], plain[0]);

    await Deno.writeFile(path, encodeWhitening(whitening, { ...of, model: "another" }));
    using again = await load(folder, { gpu });
    await assert.rejects(again.features(pictures, { whiten: true }), /fitted to other weights/);
  });
}, ["read", "write", "env"]);

Deno.test("load() says what a source may be where it is given none", async () => {
  for (const none of [undefined, null, 7] as unknown as ModelSource[]) {
    await assert.rejects(load(none), {
      name: "HatchlingError",
      message:
        `load: expected a run's folder, a file of weights, an address or bytes but found ${none}: ` +
        'give one, as in await load("runs/a")',
    });
  }
});
