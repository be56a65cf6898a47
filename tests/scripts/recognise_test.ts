/** Commands on nothing but a file of weights, as users start them. */
import assert from "node:assert/strict";
import {
  float32Tensor,
  parseSafetensors,
  type RawTensor,
  serializeSafetensors,
} from "../../lib/io/safetensors.ts";
import { Rng } from "../../lib/rng.ts";
import { dinov2, entriesOf, prefixed, type Shapes, timmVit } from "../open_model/published.ts";
import { errorOf, flags, runTest, SMALL, train } from "../support/runs.ts";
import { script } from "../support/scripts.ts";

const rng = new Rng(7);

/** Random weights of some shapes; those that `half` names in bfloat16. */
function made(shapes: Shapes, half = /^$/): Uint8Array {
  const tensors = [...entriesOf(shapes).values()].map(({ name, shape }): [string, RawTensor] => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: size }, () => 0.1 * rng.normal());
    if (!half.test(name)) return [name, float32Tensor(values, shape)];
    const bits = Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16);
    return [name, { dtype: "BF16", shape: [...shape], data: bits }];
  });
  return serializeSafetensors(new Map(tensors));
}

const TINY = timmVit({ dim: 192, depth: 1, heads: 3, patch: 8, grid: 2 });
const ODD = timmVit({ dim: 24, depth: 1, heads: 0, patch: 8, grid: 2 });

runTest("embed takes a file alone, and says what it is and what was taken", async (folder) => {
  await Deno.writeFile(
    `${folder}/w.safetensors`,
    made({
      ...prefixed("teacher.backbone.", TINY),
      ...prefixed("student.module.backbone.", TINY),
      "teacher.head.mlp.0.weight": [8, 192],
    }, /norm1/),
  );
  const embed = (...args: string[]) =>
    script("embed", folder, ["pictures", "--weights", "w.safetensors", ...args]);
  const alone = await embed("--out", "a.npy");
  assert.equal(alone.code, 0, alone.stderr);
  assert.match(
    alone.stderr,
    /w\.safetensors: ViT-Ti\/8: dim 192, 1 block, 3 heads; in the names of timm and facebookresearch\/dino; pictures of 16 px, mean 0\.485, 0\.456, 0\.406, std 0\.229, 0\.224, 0\.225 \(ImageNet's\)/,
  );
  assert.match(
    alone.stderr,
    /18 tensors taken; 2 tensors cast from BF16 to F32; not used: student\.module\.backbone\.\* \(18 tensors\), teacher\.head\.mlp\.0\.weight$/m,
  );
  await Deno.writeTextFile(
    `${folder}/c.yaml`,
    "model: { backbone: custom, patch_size: 8, dim: 192, depth: 1, heads: 3 }\n" +
      "augmentation: { global_crop_size: 16, local_crop_size: 8 }\n",
  );
  const said = await embed("--out", "b.npy", "--config", "c.yaml");
  assert.equal(said.code, 0, said.stderr);
  const [a, b] = ["a.npy", "b.npy"].map((name) => Deno.readFileSync(`${folder}/${name}`));
  assert.deepEqual(a, b);

  const larger = await embed("--out", "l.npy", "--augmentation.global_crop_size", "32");
  assert.equal(larger.code, 0, larger.stderr);
  assert.match(larger.stderr, /position embedding resampled from 2 × 2 to 4 × 4 \(offset\)/);
  const student = await script("embed", folder, [
    "pictures",
    "--weights",
    "w.safetensors#student",
    "--out",
    "s.npy",
  ]);
  assert.equal(student.code, 0, student.stderr);
  assert.notDeepEqual(Deno.readFileSync(`${folder}/s.npy`), a);
});

/** Values of DINOv2's names under Hugging Face's: queries, keys and values are tensors of their own. */
function huggingFace(tensors: Map<string, RawTensor>): Map<string, RawTensor> {
  const renamed = new Map<string, RawTensor>();
  for (const [name, tensor] of tensors) {
    const theirs = name
      .replace(/^(cls_token|mask_token)$/, "embeddings.$1")
      .replace("pos_embed", "embeddings.position_embeddings")
      .replace("patch_embed.proj", "embeddings.patch_embeddings.projection")
      .replace(/^norm\./, "layernorm.")
      .replace(/^blocks\./, "encoder.layer.")
      .replace("attn.proj", "attention.output.dense")
      .replace(/\.ls(\d)\.gamma/, ".layer_scale$1.lambda1");
    if (!theirs.includes(".attn.qkv.")) {
      renamed.set(theirs, tensor);
      continue;
    }
    const data = tensor.data as Float32Array, third = data.length / 3;
    for (const [i, part] of ["query", "key", "value"].entries()) {
      const shape = [tensor.shape[0] / 3, ...tensor.shape.slice(1)];
      const values = float32Tensor(data.slice(i * third, (i + 1) * third), shape);
      renamed.set(theirs.replace("attn.qkv", `attention.attention.${part}`), values);
    }
  }
  return renamed;
}

runTest(
  "a folder of Hugging Face gives the features of the same weights by other names",
  async (folder) => {
    const { tensors } = parseSafetensors(
      made(dinov2({ dim: 24, depth: 2, heads: 3, patch: 8, grid: 2 })),
    );
    await Deno.mkdir(`${folder}/hf`);
    const files: [string, unknown][] = [
      ["config.json", { num_attention_heads: 3, layer_norm_eps: 1e-6, hidden_act: "gelu" }],
      ["preprocessor_config.json", {
        crop_size: { height: 16, width: 16 },
        image_mean: [0.485, 0.456, 0.406],
        image_std: [0.229, 0.224, 0.225],
      }],
    ];
    for (const [name, json] of files) {
      await Deno.writeTextFile(`${folder}/hf/${name}`, JSON.stringify(json));
    }
    const theirs = serializeSafetensors(huggingFace(tensors));
    await Deno.writeFile(`${folder}/fb.safetensors`, serializeSafetensors(tensors));
    await Deno.writeFile(`${folder}/hf/model.safetensors`, theirs);
    const embed = (weights: string, out: string, ...args: string[]) =>
      script("embed", folder, ["pictures", "--weights", weights, "--out", out, ...args]);
    const fb = await embed("fb.safetensors", "a.npy", "--model.heads", "3");
    const hf = await embed("hf", "b.npy");
    assert.equal(fb.code, 0, fb.stderr);
    assert.equal(hf.code, 0, hf.stderr);
    assert.match(
      hf.stderr,
      /ViT\/8: dim 24, 2 blocks, 3 heads, LayerScale; .*Dinov2Model; pictures of 16 px/,
    );
    assert.match(
      hf.stderr,
      /\(of preprocessor_config\.json\)\n34 tensors taken; not used: embeddings\.mask_token$/m,
    );
    const [a, b] = ["a.npy", "b.npy"].map((name) => Deno.readFileSync(`${folder}/${name}`));
    assert.deepEqual(a, b);
  },
);

runTest(
  "heads that no shape tells are asked for, and taken from the command line",
  async (folder) => {
    await Deno.writeFile(`${folder}/odd.safetensors`, made(ODD));
    const embed = (...args: string[]) =>
      script("embed", folder, [
        "pictures",
        "--weights",
        "odd.safetensors",
        "--out",
        "f.npy",
        ...args,
      ]);
    const asked = await embed();
    assert.equal(asked.code, 1);
    assert.match(errorOf(asked), /Expected the number of attention heads of odd.*--model\.heads N/);
    const told = await embed("--model.heads", "3");
    assert.equal(told.code, 0, told.stderr);
  },
);

runTest(
  "train takes the shape that its configuration leaves open from the file",
  async (folder) => {
    await Deno.writeFile(`${folder}/odd.safetensors`, made(ODD));
    const { "model.dim": _, "augmentation.global_crop_size": __, ...rest } = SMALL;
    const one = {
      ...rest,
      "data.path": "pictures",
      "training.max_steps": 1,
      "training.num_epochs": 1,
    };
    await Deno.writeTextFile(`${folder}/open.yaml`, "scheduler: { warmup_epochs: 0 }\n");
    const args = flags({ ...one, "augmentation.global_crop_size": 24, "model.heads": 3 });
    const open = await train(
      folder,
      [...args, "--weights", "odd.safetensors", "--out", "a"],
      `${folder}/open.yaml`,
    );
    assert.equal(open.code, 0, open.stderr);
    assert.match(open.stderr, /odd\.safetensors: ViT\/8: dim 24, 1 block, 3 heads/);
    assert.match(
      open.stderr,
      /starting from 18 tensors of odd\.safetensors; it holds no head: .*; position embedding resampled from 2 × 2 to 3 × 3/,
    );
    const config = await Deno.readTextFile(`${folder}/a/config.yaml`);
    assert.match(config, /dim: 24\b/);

    const other = await train(folder, [
      ...flags(one),
      "--weights",
      "odd.safetensors",
      "--out",
      "b",
    ]);
    assert.equal(other.code, 1);
    assert.match(
      errorOf(other),
      /Expected the configuration to fit odd\.safetensors .*\n {2}model\.dim: the configuration says \d+, the file holds 24\n[^]*Leave these keys out/,
    );
  },
);
