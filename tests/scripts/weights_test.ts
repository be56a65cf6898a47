/** Files of weights in every command that takes them, as users start it. */
import assert from "node:assert/strict";
import {
  float32Tensor,
  parseSafetensors,
  type RawTensor,
  serializeSafetensors,
} from "../../lib/io/safetensors.ts";
import { errorOf, flags, runTest, train } from "../support/runs.ts";
import { script } from "../support/scripts.ts";

runTest(
  "weights of another network, or spoiled ones, are refused by every command, which then leaves nothing",
  async (folder, small) => {
    const run = await train(folder, [
      ...small,
      ...flags({ "training.max_steps": 1 }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const { tensors } = parseSafetensors(await Deno.readFile(`${folder}/run/teacher.safetensors`));
    const write = (name: string, more: [string, RawTensor][]) =>
      Deno.writeFile(`${folder}/${name}`, serializeSafetensors(new Map([...tensors, ...more])));
    await Deno.copyFile(`${folder}/run/config.yaml`, `${folder}/config.yaml`);
    await write("normed.safetensors", [
      ["norm_pre.weight", float32Tensor(new Float32Array(16), [16])],
    ]);
    await write("spoiled.safetensors", [
      ["norm.bias", float32Tensor(new Float32Array(16).fill(NaN), [16])],
    ]);
    await write("counts.safetensors", [
      ["norm.bias", { dtype: "I32", shape: [16], data: new Int32Array(16) }],
    ]);
    const commands = (file: string): [string, string[]][] => [
      ["embed", ["pictures", "--weights", file, "--out", "f.npy"]],
      ["evaluate", [file, "--data.path", "pictures"]],
      ["look", ["attention", file, "pictures/even/0.png", "--out", "looked"]],
      ["search", ["pictures", "pictures/even/0.png", "--weights", file, "--out", "found"]],
    ];
    const faults: [string, RegExp][] = [
      ["normed.safetensors", /"norm_pre\.weight": this model does not have a norm before the/],
      ["spoiled.safetensors", /spoiled\.safetensors: .*found NaN in "norm\.bias"/],
      ["counts.safetensors", /norm\.bias: expected F32.* but found I32/],
    ];
    for (const [i, [file, message]] of faults.entries()) {
      const asked = i ? commands(file).slice(0, 1) : commands(file);
      const said = await Promise.all(asked.map(([name, args]) => script(name, folder, args)));
      for (const [j, result] of said.entries()) {
        assert.equal(result.code, 1, `${asked[j][0]}: ${result.stderr}`);
        assert.match(errorOf(result), message, asked[j][0]);
      }
      const started = await train(folder, [...small, "--weights", file, "--out", "b"]);
      assert.equal(started.code, 1);
      assert.match(errorOf(started), message);
    }
    for (const name of ["f.npy", "f.csv", "looked", "found"]) {
      await assert.rejects(Deno.stat(`${folder}/${name}`), Deno.errors.NotFound, name);
    }
  },
);

runTest(
  "train takes weights of a file without a head, and of a run whose result is damaged",
  async (folder, small) => {
    const step = [...small, ...flags({ "training.max_steps": 1 })];
    const first = await train(folder, [...step, "--out", "run"]);
    assert.equal(first.code, 0, first.stderr);
    const bytes = await Deno.readFile(`${folder}/run/teacher.safetensors`);
    const { tensors } = parseSafetensors(bytes);
    const backbone = [...tensors].flatMap(([name, tensor]) =>
      name.startsWith("head.") ? [] : [[`module.backbone.${name}`, tensor] as const]
    );
    await Deno.writeFile(
      `${folder}/published.safetensors`,
      serializeSafetensors(
        new Map([...backbone, ["head.weight", float32Tensor(new Float32Array(10), [10])]]),
      ),
    );
    await Deno.truncate(`${folder}/run/teacher.safetensors`, 500);
    const [published, again] = await Promise.all([
      train(folder, [...step, "--weights", "published.safetensors", "--out", "a"]),
      train(folder, [...step, "--weights", "run", "--out", "b"]),
    ]);
    assert.equal(published.code, 0, published.stderr);
    assert.match(published.stderr, /it holds no head: .*; not used: head\.weight$/m);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /warning: run\/teacher\.safetensors: not a valid safetensors file/);
    assert.match(
      again.stderr,
      /starting from \d+ tensors of run\/checkpoint-00000001\.safetensors/,
    );
  },
);
