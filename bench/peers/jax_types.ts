/**
 * The part of jax-js that the benchmark uses. Its own types stay out: they would put the package into the
 * lock file of the project, and so into the downloads of everybody who runs a test.
 *
 * @module
 */

/** An array or a tracer. Passing it on gives it away; `ref` keeps it. */
export interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: number[];
  dispose(): void;
  data(): Promise<Float32Array>;
  gpuBufferSync(): GPUBuffer;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  neg(): JaxArray;
  sum(axis?: number | number[], options?: { keepdims?: boolean }): JaxArray;
  mean(axis?: number | number[], options?: { keepdims?: boolean }): JaxArray;
  reshape(shape: number[]): JaxArray;
  transpose(order?: number[]): JaxArray;
}

/** Arrays by name. */
export type Tree = Record<string, JaxArray>;

/** The module. */
export interface Jax {
  init(...devices: string[]): Promise<string[]>;
  defaultDevice(device: string): string;
  getWebGPUDevice(): GPUDevice;
  blockUntilReady<T>(tree: T): Promise<T>;
  jit<F>(fn: F): F;
  grad<A extends unknown[]>(fn: (x: JaxArray, ...rest: A) => JaxArray): (
    x: JaxArray,
    ...rest: A
  ) => JaxArray;
  valueAndGrad<A extends unknown[], T>(
    fn: (x: T, ...rest: A) => [JaxArray, Tree],
    options: { hasAux: true },
  ): (x: T, ...rest: A) => [[JaxArray, Tree], T];
  numpy: {
    array(data: Float32Array, options?: { shape: number[] }): JaxArray;
    zeros(shape: number[]): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    concatenate(arrays: JaxArray[], axis: number): JaxArray;
    broadcastTo(a: JaxArray, shape: number[]): JaxArray;
    sqrt(a: JaxArray): JaxArray;
    minimum(a: JaxArray | number, b: JaxArray | number): JaxArray;
    split(a: JaxArray, parts: number | number[], axis: number): JaxArray[];
  };
  nn: {
    softmax(a: JaxArray, axis: number): JaxArray;
    logSoftmax(a: JaxArray, axis: number): JaxArray;
    gelu(a: JaxArray, options: { approximate: boolean }): JaxArray;
    standardize(a: JaxArray, axis: number, options: { epsilon: number }): JaxArray;
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray): JaxArray;
  };
  lax: { stopGradient(a: JaxArray): JaxArray };
}
