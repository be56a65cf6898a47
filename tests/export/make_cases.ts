/**
 * Exports of small models of every family with their features, for tests/golden/check_export.py:
 * `deno run -A tests/export/make_cases.ts FOLDER`.
 *
 * @module
 */
import { dirname } from "node:path";
import { exportModel } from "../../lib/export/files.ts";
import { vitShape } from "../../lib/export/shape.ts";
import { openGpu } from "../../lib/gpu.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io.ts";
import { Parameters } from "../../lib/model.ts";
import { FAMILIES, features, loaded, loadedResnet, pixels } from "./support.ts";

const [folder] = Deno.args;
const gpu = await openGpu();

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(`${folder}/${path}`), { recursive: true });
  await Deno.writeFile(`${folder}/${path}`, bytes);
}

for (const [name, text] of Object.entries(FAMILIES)) {
  const toy = loaded(text), shape = vitShape(toy.model.backbone);
  const elsewhere = shape.classToken && !shape.fcNorm;
  for (const names of elsewhere ? ["timm", "hf", "fb"] as const : ["timm"] as const) {
    const part = names === "fb" ? "all" : "backbone";
    const { files } = exportModel(toy, { to: "safetensors", names, dtype: "f32", part });
    for (const [file, bytes] of files) await write(`${name}/${names}/${file}`, bytes);
  }
  const side = shape.imageSize, dims = [2, shape.inChans, side, side];
  const data = pixels(dims.reduce((a, b) => a * b, 1));
  const { tokens, pooled, logits } = await features(gpu, toy, data, dims);
  const rows = tokens.length / 2 / shape.dim;
  const tensors = new Map([
    ["pixels", float32Tensor(data, dims)],
    ["tokens", float32Tensor(tokens, [2, rows, shape.dim])],
    ["pooled", float32Tensor(pooled, [2, shape.dim])],
    ["logits", float32Tensor(logits, [2, logits.length / 2])],
  ]);
  const plain = !shape.registers && shape.layerScale === null && shape.mlp === "gelu";
  const about = {
    family: shape.posEmbed === "rope" ? "dinov3" : plain ? "dino" : "dinov2",
    image: side,
    patch: shape.patchSize,
    chans: shape.inChans,
    dim: shape.dim,
    depth: shape.depth,
    heads: shape.heads,
    hidden: shape.mlpHiddenDim,
    bias: shape.qkvBias,
    registers: shape.registers,
    scale: shape.layerScale !== null,
    gated: shape.mlp === "swiglu",
    base: shape.ropeBase,
    eps: shape.normEps,
  };
  const bytes = serializeSafetensors(tensors, { shape: JSON.stringify(about) });
  await write(`${name}/features.safetensors`, bytes);
}
for (const layers of [18, 50] as const) {
  const toy = loadedResnet(layers, 64), name = `resnet${layers}`, dims = [2, 3, 64, 96];
  for (const names of ["timm", "hf", "fb"] as const) {
    const part = names === "fb" ? "all" : "backbone";
    const { files } = exportModel(toy, { to: "safetensors", names, dtype: "f32", part });
    for (const [file, bytes] of files) await write(`${name}/${names}/${file}`, bytes);
  }
  const data = pixels(dims.reduce((a, b) => a * b, 1));
  const params = new Parameters(gpu, toy.model.specs());
  params.load(toy.weights);
  const images = gpu.tensor(data, dims);
  const { logits, features: pooled } = gpu.scope(() => toy.model.forward(gpu, params, [images]));
  const [l, p] = await gpu.read([logits, pooled]);
  const tensors = new Map([
    ["pixels", float32Tensor(data, dims)],
    ["pooled", float32Tensor(p, pooled.shape)],
    ["logits", float32Tensor(l, logits.shape)],
  ]);
  const about = { shape: JSON.stringify({ family: name }) };
  await write(`${name}/features.safetensors`, serializeSafetensors(tensors, about));
  params.destroy();
}
gpu.destroy();
