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
import { FAMILIES, features, loaded, pixels } from "./support.ts";

const [folder] = Deno.args;
const gpu = await openGpu();
for (const [name, text] of Object.entries(FAMILIES)) {
  const toy = loaded(text), shape = vitShape(toy.model.backbone);
  const write = async (path: string, bytes: Uint8Array) => {
    await Deno.mkdir(dirname(`${folder}/${name}/${path}`), { recursive: true });
    await Deno.writeFile(`${folder}/${name}/${path}`, bytes);
  };
  const elsewhere = shape.classToken && !shape.fcNorm;
  for (const names of elsewhere ? ["timm", "hf", "fb"] as const : ["timm"] as const) {
    const part = names === "fb" ? "all" : "backbone";
    const { files } = exportModel(toy, { to: "safetensors", names, dtype: "f32", part });
    for (const [file, bytes] of files) await write(`${names}/${file}`, bytes);
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
  await write("features.safetensors", bytes);
}
gpu.destroy();
