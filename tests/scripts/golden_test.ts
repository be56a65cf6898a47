import assert from "node:assert/strict";
import { type Case, givenFloats, givenLabels, group } from "../../scripts/common/golden/case.ts";
import { compare, passes, type Results } from "../../scripts/common/golden/compare.ts";
import { float32Tensor } from "../../lib/io/safetensors.ts";
import { folderTest } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const noise = { tol: 1e-3, tol_rms: 1e-4 };

function example(): Case {
  return {
    name: "x",
    kind: "loss",
    doc: {
      name: "x",
      kind: "loss",
      config: {},
      expected: { loss: 2, step_count: { a: 3 } },
      values: [1, 0],
      decayed: { a: true },
      noise: {
        "out.y": noise,
        "out.attn.qkv.bias[q]": noise,
        "out.attn.qkv.bias[k]": { tol: 1, tol_rms: 1 },
        "out.attn.qkv.bias[v]": noise,
      },
    },
    tensors: new Map([
      ["in.x", float32Tensor(new Float32Array(2), [2])],
      ["out.y", float32Tensor(new Float32Array([1, 2, 3, 4]), [4])],
      ["out.attn.qkv.bias", float32Tensor(new Float32Array(3), [3])],
      ["out.count", { dtype: "I32", shape: [2], data: new Int32Array([5, 6]) }],
    ]),
  };
}

interface Mutable {
  tensors: Map<string, ArrayLike<number>>;
  // deno-lint-ignore no-explicit-any -- changed at will below
  fields: any;
}

const right = (): Mutable => ({
  tensors: new Map<string, ArrayLike<number>>([
    ["y", [1, 2, 3, 4]],
    ["attn.qkv.bias", [0, 0, 0]],
    ["count", [5, 6]],
  ]),
  fields: {
    expected: { loss: 2, step_count: { a: 3 } },
    values: [1, 0],
    decayed: { a: true },
  },
});

const failures = (change: (results: Mutable) => void) => {
  const results = right();
  change(results);
  return compare(example(), results).filter((check) => !passes(check)).map(({ what }) => what);
};

Deno.test("compare() passes what is right and within the tolerances", () => {
  assert.equal(compare(example(), right()).length, 10);
  assert.deepEqual(failures(() => {}), []);
  const near = failures(({ tensors, fields }) => {
    tensors.set("y", [1, 2, 3, 4.00019]);
    tensors.set("attn.qkv.bias", [0, 0.9, 0]);
    fields.expected.loss = 2.00003;
    fields.values[0] = 1 + 9e-10;
  });
  assert.deepEqual(near, []);
});

Deno.test("compare() fails each kind of difference", () => {
  const tensor = (name: string, values: number[]) =>
    failures(({ tensors }) => tensors.set(name, values));
  assert.deepEqual(tensor("y", [1, 2, 3, 4.0011]), ["out.y"]); // max
  assert.deepEqual(tensor("y", [1.0003, 2.0003, 3.0003, 4.0003]), ["out.y"]); // rms
  assert.deepEqual(tensor("y", [1, NaN, 3, 4]), ["out.y"]);
  assert.deepEqual(tensor("y", [1, 2, Infinity, 4]), ["out.y"]);
  assert.deepEqual(tensor("y", [1, 2, 3]), ["out.y"]);
  assert.deepEqual(tensor("count", [5, 7]), ["out.count"]);
  assert.deepEqual(tensor("attn.qkv.bias", [0.1, 2, 0.1]), [
    "out.attn.qkv.bias[q]",
    "out.attn.qkv.bias[k]",
    "out.attn.qkv.bias[v]",
  ]);
  assert.deepEqual(failures(({ fields }) => fields.expected.loss = 2.00005), ["expected.loss"]);
  assert.deepEqual(failures(({ fields }) => fields.expected.loss = NaN), ["expected.loss"]);
  assert.deepEqual(failures(({ fields }) => fields.expected.step_count.a = 3.00001), [
    "expected.step_count.a",
  ]);
  assert.deepEqual(failures(({ fields }) => fields.values[0] = 1 + 2e-9), ["values.0"]);
  assert.deepEqual(failures(({ fields }) => fields.decayed.a = false), ["decayed.a"]);
});

Deno.test("compare() fails what nobody computed", () => {
  assert.deepEqual(failures(({ tensors }) => tensors.delete("y")), ["out.y"]);
  assert.deepEqual(failures(({ fields }) => delete fields.expected.loss), ["expected.loss"]);
  assert.deepEqual(failures(({ fields }) => delete fields.decayed), ["decayed.a"]);
  const noTolerance = example();
  delete noTolerance.doc.noise;
  const bad = compare(noTolerance, right() as Results).filter((check) => !passes(check));
  assert.deepEqual(bad.map(({ what }) => what), [
    "out.y",
    ...["q", "k", "v"].map((part) => `out.attn.qkv.bias[${part}]`),
  ]);
});

Deno.test("compare() lets a rule of its own stand for a tensor or scalar", () => {
  const results = { ...right(), checks: [{ what: "out.y", ratio: 2 }] };
  results.tensors.delete("y");
  const bad = compare(example(), results).filter((check) => !passes(check));
  assert.deepEqual(bad, [{ what: "out.y", ratio: 2 }]);
});

Deno.test("whole numbers where numbers are expected are refused, as are floats for labels", () => {
  const { tensors } = example();
  tensors.set("in.labels", { dtype: "I32", shape: [2], data: Int32Array.of(3, 4) });
  tensors.set("in.half", { dtype: "F16", shape: [1], data: Uint16Array.of(0x3c00) });
  assert.deepEqual([...givenFloats(tensors, "half")], [1]);
  assert.deepEqual([...givenLabels(tensors, "labels")], [3, 4]);
  assert.throws(() => givenFloats(tensors, "labels"), /F32.* in tensor in\.labels but found I32/);
  assert.throws(() => givenLabels(tensors, "x"), /Expected I32 in tensor in\.x but found F32/);
  assert.throws(() => group(tensors, "in."), /in tensor in\.labels but found I32/);
  assert.deepEqual([...group(tensors, "in.h").keys()], ["alf"]);
});

/** Runs the command; gives exit code and lines. */
async function golden(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "scripts/golden.ts", ...args],
    cwd: `${import.meta.dirname}/../..`,
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { code, lines: text(stdout).split("\n"), errors: text(stderr) };
}

folderTest("golden ends with the totals and fails where it has to", async (folder) => {
  const source = `${import.meta.dirname}/../golden/golden_public`;
  for (const name of ["schedule_lr.json", "knn_k10.json", "knn_k10.safetensors"]) {
    await Deno.copyFile(`${source}/${name}`, `${folder}/${name}`);
  }
  const { cases } = JSON.parse(await Deno.readTextFile(`${source}/manifest.json`));
  const chosen = cases.filter(({ name }: { name: string }) =>
    ["schedule_lr", "knn_k10"].includes(name)
  );
  const manifest = `${folder}/manifest.json`;
  await Deno.writeTextFile(manifest, JSON.stringify({ cases: chosen }));

  const right = await golden(folder);
  assert.deepEqual([right.code, right.lines.length, right.lines.at(-1)], [
    0,
    3,
    "2 passed, 0 failed",
  ]);

  const bytes = await Deno.readFile(`${folder}/knn_k10.safetensors`);
  bytes[bytes.length - 1] ^= 1;
  await Deno.writeFile(`${folder}/knn_k10.safetensors`, bytes);
  const damaged = await golden(folder);
  assert.deepEqual([damaged.code, damaged.lines.at(-1)], [1, "1 passed, 1 failed"]);
  assert.match(damaged.lines.join(), /expected SHA-256 5e9d3dd8/);

  const filtered = await golden(folder, "--only", "schedule");
  assert.deepEqual([filtered.code, filtered.lines.at(-1)], [0, "1 passed, 0 failed"]);
  const none = await golden(folder, "--only", "nothing");
  assert.equal(none.code, 1);
  assert.match(none.errors, /Expected cases in .* but found none to run/);
  const missing = await golden(`${folder}/missing`);
  assert.equal(missing.code, 1);
  assert.match(missing.errors, /Expected a folder of fixtures but found nothing at/);
}, ["run"]);
