import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { readWeights } from "../../lib/io/weights.ts";
import { folderTest } from "../support/permissions.ts";

const EXPECTED = [
  { name: "cls_token", shape: [1, 1, 2] },
  { name: "head.mlp.0.bias", shape: [3] },
];

async function file(folder: string, tensors: Record<string, number[]>, metadata = {}) {
  const path = `${folder}/weights.safetensors`;
  const entries = Object.entries(tensors).map(([name, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, float32Tensor(new Float32Array(size).fill(name.length), shape)] as const;
  });
  await Deno.writeFile(path, serializeSafetensors(new Map(entries), metadata));
  return path;
}

folderTest("readWeights() knows the names of others, and does without a head", async (folder) => {
  for (const prefix of ["", "backbone.", "module.backbone."]) {
    const path = await file(folder, { [`${prefix}cls_token`]: [1, 1, 2], "fc.weight": [1] });
    const { weights, missing, unused } = await readWeights(path, EXPECTED);
    assert.deepEqual([...weights.keys()], ["cls_token"]);
    assert.deepEqual([missing, unused], [["head.mlp.0.bias"], ["fc.weight"]]);
  }
});

folderTest("readWeights() takes the teacher of a checkpoint", async (folder) => {
  const tensors = {
    "student.cls_token": [1, 1, 2],
    "teacher.cls_token": [1, 1, 2],
    "teacher.head.mlp.0.bias": [3],
    center: [9],
  };
  const path = await file(folder, tensors, { format: "hatchling-checkpoint" });
  const { weights, missing, unused } = await readWeights(path, EXPECTED);
  assert.equal(weights.get("cls_token")![0], "teacher.cls_token".length);
  assert.deepEqual([missing, unused], [[], []]);
});

folderTest("readWeights() names every fault when the file is another model's", async (folder) => {
  const path = await file(folder, { cls_token: [1, 1, 4] });
  const more = [...EXPECTED, { name: "norm.bias", shape: [2] }, { name: "head.x", shape: [1] }];
  await assert.rejects(readWeights(path, more), (error: Error) => {
    assert.ok(error instanceof HatchlingError);
    assert.match(error.message, /cls_token: expected \[1, 1, 2\] but found \[1, 1, 4\]/);
    assert.match(error.message, /norm\.bias: missing/);
    assert.doesNotMatch(error.message, /head\.x/);
    return true;
  });
  const half = await file(folder, { cls_token: [1, 1, 2], "norm.bias": [2], "head.x": [1] });
  await assert.rejects(readWeights(half, more), /head\.mlp\.0\.bias: missing/);
  await assert.rejects(readWeights(`${folder}/none`, more), /does not exist/);
});
