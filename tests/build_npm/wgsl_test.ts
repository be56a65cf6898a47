/** Kernels of the package mean what those of the repository mean. */
import assert from "node:assert/strict";
import { definedKernels, kernelText } from "../../lib/gpu/kernel.ts";
import { interfaceOf } from "../../lib/gpu/wgsl.ts";
import "../../mod.ts"; // defines them
import { strippedWgsl } from "../../scripts/common/bundle/wgsl.ts";
import { gpuTest } from "../support/gpu.ts";

/** All kernels, whole and as the package has them: each of its files by itself. */
const KERNELS = definedKernels().map((source) => {
  return { source, code: source.files.map(({ code }) => strippedWgsl(code)).join("") };
});

/** Words, numbers and signs, by a way of its own to leave out comments; no kernel has one within another. */
function tokens(text: string): string[] {
  const code = text.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, " ");
  return code.match(/\d[\w.]*(?:(?<=e)[+-]\d+\w*)?|\w+|[^\s\w]/g) ?? [];
}

Deno.test("comments go, words stay", () => {
  const text = "// a\n\n  let b = 1; // c\n/* d /* e */ f */ let/**/g = b / 2;\n";
  assert.equal(strippedWgsl(text), "let b=1;\nlet g=b / 2;\n");
  assert.equal(strippedWgsl("fn f( a : u32 , b : u32 ) {\n\t}\n//"), "fn f(a:u32,b:u32){\n}\n");
  assert.equal(strippedWgsl("a += b * c + d == e;"), "a+=b*c+d==e;\n");
  for (const kept of ["x / *p", "a - -b", "var v:vec2<f32> = w"]) {
    assert.equal(strippedWgsl(kept), `${kept}\n`);
  }
  assert.deepEqual(tokens("a+1e-3f"), ["a", "+", "1e-3f"]);
});

Deno.test("a kernel of the package has the same tokens and arguments, and fewer bytes", () => {
  assert.ok(KERNELS.length > 60, `${KERNELS.length} kernels`);
  let before = 0, after = 0;
  for (const { source: { name, code: whole, bindings, params, overrides }, code } of KERNELS) {
    assert.deepEqual(tokens(code), tokens(whole), name);
    assert.deepEqual(interfaceOf(name, code), { bindings, params, overrides });
    before += whole.length;
    after += code.length;
  }
  assert.ok(after < 0.8 * before, `${after} of ${before} bytes`);
});

gpuTest("compilers take the kernels of the package", async (gpu) => {
  const { device } = gpu;
  for (const { source, code } of KERNELS) {
    if (source.subgroups && gpu.subgroupSize === 0) continue;
    device.pushErrorScope("validation");
    device.createShaderModule({ code: kernelText({ ...source, code }) });
    const error = await device.popErrorScope();
    assert.equal(error?.message, undefined, source.name);
  }
});
