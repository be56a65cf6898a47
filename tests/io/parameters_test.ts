/** Weights between parameters on the GPU and files or bytes. */
import assert from "node:assert/strict";
import { DamagedFileError } from "../../lib/errors.ts";
import { loadWeights, saveWeights, weightsFrom, weightTensors } from "../../lib/io/parameters.ts";
import { parseSafetensors, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { DinoModel, initialize, Parameters } from "../../lib/model.ts";
import { gpuTest } from "../support/gpu.ts";
import { withFolder } from "../support/permissions.ts";

const MODEL = new DinoModel(
  { imageSize: 16, patchSize: 8, dim: 8, depth: 1, heads: 2 },
  { outDim: 12, hiddenDim: 8, bottleneckDim: 4 },
);

gpuTest("what saveWeights() writes, loadWeights() and others read", async (gpu) => {
  await withFolder(async (folder) => {
    const [from, to] = [new Parameters(gpu, MODEL.specs()), new Parameters(gpu, MODEL.specs())];
    from.load(initialize(MODEL.specs(), 3));
    const path = `${folder}/w.safetensors`;
    await saveWeights(path, from);
    assert.deepEqual(await loadWeights(path, to), { missing: [], unused: [] });
    assert.deepEqual(await to.save(), await from.save());
    const { tensors, metadata } = parseSafetensors(await Deno.readFile(path));
    assert.deepEqual(metadata, { format: "pt" }); // as PyTorch's own files say
    for (const { name, data } of from.all) assert.deepEqual(tensors.get(name)!.shape, data.shape);
    for (const params of [from, to]) params.destroy();
  });
}, ["read", "write"]);

gpuTest(
  "weightTensors() is what serializeSafetensors() takes, and loadWeights() its bytes",
  async (gpu) => {
    const [from, to] = [new Parameters(gpu, MODEL.specs()), new Parameters(gpu, MODEL.specs())];
    from.load(initialize(MODEL.specs(), 4));
    const bytes = serializeSafetensors(await weightTensors(from));
    const { weights, ...rest } = await weightsFrom(bytes, MODEL.specs());
    assert.deepEqual([weights, rest], [await from.save(), { missing: [], unused: [] }]);
    await loadWeights(bytes, to);
    assert.deepEqual(await to.save(), await from.save());
    for (const params of [from, to]) params.destroy();
  },
  ["read"],
);

gpuTest("without a head the head keeps its values; a backbone takes what it needs", async (gpu) => {
  const specs = MODEL.specs(), { backbone: network } = MODEL;
  const [whole, other, backbone] = [specs, specs, network.specs()].map((s) =>
    new Parameters(gpu, s)
  );
  whole.load(initialize(specs, 5));
  other.load(initialize(specs, 6));
  const head = (await other.save()).get("head.mlp.0.weight")!;

  const { unused } = await loadWeights(serializeSafetensors(await weightTensors(whole)), backbone);
  assert.ok(unused.includes("head.last_layer.weight_v"));
  const { missing } = await loadWeights(serializeSafetensors(await weightTensors(backbone)), other);
  assert.ok(missing.length && missing.every((name) => name.startsWith("head.")));
  const [found, asked] = [await other.save(), await whole.save()];
  assert.deepEqual(found.get("head.mlp.0.weight"), head);
  assert.deepEqual(found.get("patch_embed.proj.weight"), asked.get("patch_embed.proj.weight"));
  for (const params of [whole, other, backbone]) params.destroy();
}, ["read"]);

gpuTest("what cannot be loaded says why, and changes nothing", async (gpu) => {
  const params = new Parameters(gpu, MODEL.specs());
  params.load(initialize(MODEL.specs(), 7));
  const before = await params.save();
  const bytes = serializeSafetensors(await weightTensors(params));
  await assert.rejects(loadWeights(bytes.slice(0, 500), params), DamagedFileError);
  await assert.rejects(
    loadWeights("no/such.safetensors", params),
    /does not exist: check the path/,
  );
  const smaller = new Parameters(gpu, MODEL.specs().slice(0, 1));
  const few = serializeSafetensors(await weightTensors(smaller));
  await assert.rejects(loadWeights(few, params), /the bytes given[^]*missing/);
  await assert.rejects(
    saveWeights("no/such/folder/w.safetensors", params),
    /does not exist: create/,
  );
  assert.deepEqual(await params.save(), before);
  for (const p of [params, smaller]) p.destroy();
}, ["read", "write"]);
