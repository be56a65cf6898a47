import assert from "node:assert/strict";
import { DamagedFileError, HatchlingError } from "../../lib/errors.ts";
import { encodeCheckpoint } from "../../lib/io/checkpoint.ts";
import {
  type Dtype,
  float32Tensor,
  type RawTensor,
  serializeSafetensors,
} from "../../lib/io/safetensors.ts";
import { readWeights } from "../../lib/io/weights.ts";
import { DinoModel } from "../../lib/model.ts";
import { folderTest } from "../support/permissions.ts";

const EXPECTED = [
  { name: "cls_token", shape: [1, 1, 2] },
  { name: "head.mlp.0.bias", shape: [3] },
];

const zeros = (shape: readonly number[]) =>
  float32Tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

async function write(
  folder: string,
  tensors: Iterable<readonly [string, RawTensor]>,
  metadata = {},
): Promise<string> {
  const path = `${folder}/weights.safetensors`;
  await Deno.writeFile(path, serializeSafetensors(new Map(tensors), metadata));
  return path;
}

async function file(folder: string, tensors: Record<string, number[]>) {
  return await write(
    folder,
    Object.entries(tensors).map(([name, shape]) => {
      const { data } = zeros(shape);
      return [name, { dtype: "F32", shape, data: data.fill(name.length as never) }];
    }),
  );
}

folderTest("readWeights() knows the names of others, and does without a head", async (folder) => {
  for (const prefix of ["", "backbone.", "module.backbone.", "teacher.", "_orig_mod.module."]) {
    const path = await file(folder, { [`${prefix}cls_token`]: [1, 1, 2], "fc.weight": [1] });
    const { weights, missing, unused } = await readWeights(path, EXPECTED);
    assert.deepEqual([...weights.keys()], ["cls_token"]);
    assert.deepEqual([missing, unused], [["head.mlp.0.bias"], ["fc.weight"]]);
  }
});

folderTest("readWeights() takes the teacher of a checkpoint, if it is sound", async (folder) => {
  const path = `${folder}/c.safetensors`;
  const network = (value: number) =>
    new Map([
      ["cls_token", new Float32Array(2).fill(value)],
      ["head.mlp.0.bias", new Float32Array(3).fill(value)],
    ]);
  const state = {
    step: 1,
    epoch: 0,
    shapes: new Map(EXPECTED.map(({ name, shape }) => [name, shape])),
    student: network(1),
    teacher: network(2),
    moments: new Map([["exp_avg", network(3)], ["exp_avg_sq", network(4)]]),
    stepCounts: {},
    buffers: new Map([["center", new Float32Array(9)]]),
    config: {},
  };
  const bytes = encodeCheckpoint(state);
  await Deno.writeFile(path, bytes);
  const { weights, missing, unused } = await readWeights(path, EXPECTED);
  assert.deepEqual(weights, network(2));
  assert.deepEqual([missing, unused], [[], []]);

  const other = [...EXPECTED, { name: "norm.bias", shape: [2] }];
  await assert.rejects(readWeights(path, other), /norm\.bias: missing/);
  await assert.rejects(readWeights(path, EXPECTED.slice(1)), /"cls_token": this model has no such/);
  // A byte of AdamW's moments, which are not read but for the check.
  const damaged = bytes.slice();
  damaged[damaged.length - 1] ^= 1;
  await Deno.writeFile(path, damaged);
  await assert.rejects(readWeights(path, EXPECTED), DamagedFileError);
  await Deno.writeFile(path, encodeCheckpoint({ ...state, teacher: network(NaN) }));
  await assert.rejects(readWeights(path, EXPECTED), /found NaN in "teacher\.cls_token"/);
});

folderTest(
  "a flattened checkpoint of others gives its teacher, not its student",
  async (folder) => {
    const path = await file(folder, {
      "student.module.backbone.cls_token": [1, 1, 2],
      "teacher.backbone.cls_token": [1, 1, 2],
      "optimizer.state.0": [5],
      "dino_loss.center": [1, 9],
    });
    const { weights } = await readWeights(path, EXPECTED);
    assert.equal(weights.get("cls_token")![0], "teacher.backbone.cls_token".length);
  },
);

folderTest(
  "readWeights() takes each head whole or not at all, and does without a mask token",
  async (folder) => {
    const heads = ["ibot_head.mlp.0.bias", "ibot_head.mlp.2.bias", "contrastive_head.mlp.0.bias"];
    const shape = [2];
    const more = [...EXPECTED, ...["mask_token", ...heads].map((name) => ({ name, shape }))];
    const own = { cls_token: [1, 1, 2], "head.mlp.0.bias": [3] };
    const plain = await readWeights(await file(folder, own), more);
    assert.deepEqual(plain.missing, ["mask_token", ...heads]);
    const all = Object.fromEntries(["mask_token", ...heads].map((name) => [name, shape]));
    assert.deepEqual((await readWeights(await file(folder, { ...own, ...all }), more)).missing, []);
    const half = await file(folder, { ...own, "ibot_head.mlp.0.bias": shape });
    await assert.rejects(readWeights(half, more), /ibot_head\.mlp\.2\.bias: missing/);
    // A model without them takes what it knows.
    const { unused } = await readWeights(await file(folder, { ...own, ...all }), EXPECTED);
    assert.deepEqual(unused.sort(), Object.keys(all).sort());
  },
);

folderTest("readWeights() names every fault when the file is another model's", async (folder) => {
  const path = await file(folder, { cls_token: [1, 1, 4] });
  const more = [...EXPECTED, { name: "norm.bias", shape: [2] }, { name: "head.x", shape: [1] }];
  await assert.rejects(readWeights(path, more), (error: Error) => {
    assert.ok(error instanceof HatchlingError);
    assert.ok(!(error instanceof DamagedFileError), "no other file of that run will do");
    assert.match(error.message, /cls_token: expected \[1, 1, 2\] but found \[1, 1, 4\]/);
    assert.match(error.message, /norm\.bias: missing/);
    assert.doesNotMatch(error.message, /head\.x/);
    return true;
  });
  const half = await file(folder, { cls_token: [1, 1, 2], "norm.bias": [2], "head.x": [1] });
  await assert.rejects(readWeights(half, more), /head\.mlp\.0\.bias: missing/);
  await assert.rejects(readWeights(`${folder}/none`, more), /does not exist/);
});

/** A small backbone with its head, and a file of all its parameters. */
const MODEL = new DinoModel({ imageSize: 8, patchSize: 4, dim: 4, depth: 2, heads: 2 }, {
  outDim: 8,
  hiddenDim: 4,
  bottleneckDim: 4,
  layers: 2,
});
const SPECS = MODEL.specs();
const whole = () => SPECS.map(({ name, shape }) => [name, zeros(shape)] as [string, RawTensor]);
const backbone = () => whole().filter(([name]) => !name.startsWith("head."));

/** Tensors that belong to networks which this one is not. */
const FOREIGN: [RegExp, string[]][] = [
  [/"blocks\.0\.ls1\.gamma" and 1 more: this model does not have LayerScale/, [
    "blocks.0.ls1.gamma",
    "blocks.1.ls2.gamma",
  ]],
  [/LayerScale/, ["blocks.0.gamma_1"]],
  [/"reg_token": this model does not have register tokens/, ["reg_token"]],
  [/register tokens/, ["register_tokens"]],
  [/"blocks\.0\.attn\.k_norm\.bias" and 1 more: .*norms of queries and keys/, [
    "blocks.0.attn.q_norm.weight",
    "blocks.0.attn.k_norm.bias",
  ]],
  [/"norm_pre\.weight"/, ["norm_pre.weight"]],
  [/mean of patch tokens/, ["fc_norm.weight"]],
  [/distillation token/, ["dist_token", "head_dist.weight"]],
  [/"blocks\.11\.norm1\.weight" and 1 more: .* more blocks than model\.depth/, [
    "blocks.2.norm1.weight",
    "blocks.11.norm1.weight",
  ]],
  [/"blocks\.0\.attn\.relative_position_bias_table": this model has no such part/, [
    "blocks.0.attn.relative_position_bias_table",
  ]],
  [/"patch_embed\.norm\.weight": this model has no such part/, ["patch_embed.norm.weight"]],
  [/"module\.backbone\.reg_token": this model has no such part/, ["module.backbone.reg_token"]],
];

folderTest("tensors of a backbone that the model does not have are an error", async (folder) => {
  assert.equal((await readWeights(await write(folder, whole()), SPECS)).missing.length, 0);
  for (const [message, names] of FOREIGN) {
    for (const rest of [whole(), backbone()]) {
      const path = await write(folder, [...rest, ...names.map((n) => [n, zeros([4])] as const)]);
      await assert.rejects(readWeights(path, SPECS), message);
    }
  }
});

folderTest(
  "heads, classifiers, decoders and states of optimisers are no backbone",
  async (folder) => {
    const others = [
      "head.weight",
      "head.bias",
      "fc.weight",
      "classifier.bias",
      "linear.weight",
      "pre_logits.fc.weight",
      "dino_head.weight",
      "ibot_head.last_layer.weight_v",
      "mask_token",
      "decoder_blocks.0.norm1.weight",
      "optimizer.exp_avg",
      "exp_avg.cls_token",
    ];
    const path = await write(folder, [
      ...backbone(),
      ...others.map((name) => [name, zeros([4])] as const),
    ]);
    const { weights, missing, unused } = await readWeights(path, SPECS);
    assert.equal(weights.size, backbone().length);
    assert.ok(missing.every((name) => name.startsWith("head.")));
    assert.deepEqual(unused.sort(), others.sort());
    // A head with more layers is another head.
    const longer = await write(folder, [...whole(), ["head.mlp.4.weight", zeros([4, 4])]]);
    await assert.rejects(readWeights(longer, SPECS), /"head\.mlp\.4\.weight"/);
  },
);

folderTest("names with a prefix beside the same ones without are an error", async (folder) => {
  const both: [string, string, RegExp][] = [
    ["module.cls_token", "cls_token", /Expected one network in .* found "(module)?", "(module)?"/],
    ["backbone.norm.bias", "norm.bias", /"backbone\.norm\.bias": this model has no such part/],
  ];
  for (const [a, b, message] of both) {
    const path = await write(folder, [...whole(), [a, zeros([1, 1, 4])], [b, zeros([1, 1, 4])]]);
    await assert.rejects(readWeights(path, SPECS), message);
  }
});

folderTest("weights are floating point and finite", async (folder) => {
  const one = (tensor: RawTensor) => write(folder, [["cls_token", tensor]]);
  const expected = [{ name: "cls_token", shape: [1, 1, 2] }];
  const shape = [1, 1, 2];
  const sound: RawTensor[] = [
    { dtype: "F16", shape, data: Uint16Array.of(0x3c00, 0xc000) },
    { dtype: "BF16", shape, data: Uint16Array.of(0x3f80, 0xc000) },
    { dtype: "F32", shape, data: Float32Array.of(1, -2) },
    { dtype: "F64", shape, data: Float64Array.of(1, -2) },
  ];
  for (const tensor of sound) {
    const { weights } = await readWeights(await one(tensor), expected);
    assert.deepEqual(weights.get("cls_token"), Float32Array.of(1, -2), tensor.dtype);
  }
  const whole: [Dtype, RawTensor["data"]][] = [
    ["I32", new Int32Array(2)],
    ["I64", new BigInt64Array(2)],
    ["U8", new Uint8Array(2)],
    ["BOOL", new Uint8Array(2)],
  ];
  for (const [dtype, data] of whole) {
    const message = new RegExp(`cls_token: expected F32, F16, BF16 or F64 but found ${dtype}`);
    await assert.rejects(readWeights(await one({ dtype, shape, data }), expected), message);
  }
  const spoiled: RawTensor[] = [
    { dtype: "F32", shape, data: Float32Array.of(1, NaN) },
    { dtype: "F16", shape, data: Uint16Array.of(0x3c00, 0x7c00) },
    { dtype: "F64", shape, data: Float64Array.of(1, 1e300) }, // beyond float32
  ];
  for (const tensor of spoiled) {
    await assert.rejects(readWeights(await one(tensor), expected), (error: Error) => {
      assert.ok(error instanceof DamagedFileError);
      assert.match(
        error.message,
        /weights\.safetensors: .*found (NaN|Infinity) in "cls_token", at 1/,
      );
      return true;
    });
  }
  // What is not used may be anything.
  await readWeights(
    await write(folder, [["cls_token", sound[2]], ["fc.weight", { ...spoiled[0] }], [
      "head.count",
      { dtype: "I64", shape: [1], data: new BigInt64Array(1) },
    ]]),
    expected,
  );
});

folderTest(
  "a file of 3 GiB is judged by its header, and only what is needed is read",
  async (folder) => {
    const large = 3 * 2 ** 28;
    const path = await write(folder, [["cls_token", zeros([1, 1, 2])], ["zz", zeros([7])]]);
    const bytes = await Deno.readFile(path);
    const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    /** The same header with another last tensor, whose numbers are a hole in the file. */
    const grow = async (name: string) => {
      const header = `{"cls_token":{"dtype":"F32","shape":[1,1,2],"data_offsets":[0,8]},` +
        `"${name}":{"dtype":"F32","shape":[${large}],"data_offsets":[8,${8 + 4 * large}]}}`;
      const out = new Uint8Array(8 + header.length + 8);
      new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
      out.set(new TextEncoder().encode(header), 8);
      out.set(bytes.subarray(start, start + 8), 8 + header.length);
      await Deno.writeFile(path, out);
      await Deno.truncate(path, out.length + 4 * large);
    };
    const before = Deno.memoryUsage().external;
    const expected = [{ name: "cls_token", shape: [1, 1, 2] }];
    await grow("head.weight");
    assert.equal((await readWeights(path, expected)).weights.size, 1);
    await grow("reg_token");
    await assert.rejects(readWeights(path, expected), /register tokens/);
    await assert.rejects(
      readWeights(path, [{ name: "reg_token", shape: [3] }]),
      /found \[805306368\]/,
    );
    assert.ok(Deno.memoryUsage().external - before < 2 ** 26, "the large tensor was read");
  },
);
