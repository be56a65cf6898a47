/** WGSL has no includes, and every kernel file is valid on its own: what several files share must stay the same text. */
import assert from "node:assert/strict";
import gelu from "../kernels/gelu.wgsl" with { type: "text" };
import plain from "../kernels/matmul.wgsl" with { type: "text" };
import reduce from "../kernels/matmul_reduce.wgsl" with { type: "text" };
import staged from "../kernels/matmul_staged.wgsl" with { type: "text" };
import subgroup from "../kernels/matmul_subgroup.wgsl" with { type: "text" };

/** The functions of a file by name, from `fn` to the closing brace at the start of a line. */
function functionsOf(code: string): Map<string, string> {
  const found = code.matchAll(/^fn (\w+)\([^]*?\n}\n/gm);
  return new Map(Array.from(found, ([text, name]) => [name, text]));
}

Deno.test("matmul's kernels in registers and in workgroup memory share all but the walk over K", () => {
  const [a, b] = [functionsOf(plain), functionsOf(staged)];
  const shared = [...a.keys()].filter((name) => name !== "main" && b.has(name));
  assert.ok(shared.length >= 12, `${shared}`);
  for (const name of shared) assert.equal(b.get(name), a.get(name), name);
});

Deno.test("erf is the same approximation wherever it stands", () => {
  const numbers = (code: string) => code.match(/-?\d\.\d{10,}e-\d\d/g)?.map(Number);
  const expected = numbers(functionsOf(gelu).get("erf")!);
  assert.equal(expected?.length, 12);
  for (const code of [plain, reduce, staged, subgroup]) {
    assert.deepEqual(numbers(functionsOf(code).get("erf")!), expected);
  }
});
