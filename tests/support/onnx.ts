/** ONNX files run by onnxruntime's WebAssembly. */
import assert from "node:assert/strict";

/** Float32 values of a shape. */
export interface Floats {
  data: Float32Array;
  dims: readonly number[];
}

/** Runs a file once; imported here alone, as the package asks for permissions at once. */
export async function runOnnx(
  bytes: Uint8Array,
  inputs: Readonly<Record<string, Floats>>,
): Promise<Record<string, Floats>> {
  const { env, InferenceSession, Tensor } = await import("onnxruntime-web/wasm");
  env.wasm.numThreads = 1;
  const session = await InferenceSession.create(bytes);
  const feeds = Object.entries(inputs).map(([name, { data, dims }]) => {
    return [name, new Tensor("float32", data, dims)] as const;
  });
  const results = await session.run(Object.fromEntries(feeds));
  const found: Record<string, Floats> = {};
  for (const [name, { data, dims }] of Object.entries(results)) {
    assert.ok(data instanceof Float32Array, `${name} is not float32`);
    found[name] = { data, dims };
  }
  await session.release();
  return found;
}

/** The largest difference, over the largest number. */
export function errorBetween(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(found.length, wanted.length);
  let error = 0, largest = 0;
  for (let i = 0; i < wanted.length; i++) {
    error = Math.max(error, Math.abs(found[i] - wanted[i]));
    largest = Math.max(largest, Math.abs(wanted[i]));
  }
  return error / largest;
}
