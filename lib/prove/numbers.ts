/**
 * Reproducible numbers.
 *
 * @module
 */

/** Uniform numbers between 0 and 1, the same on every machine. */
export function uniforms(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

/** Standard normal values, times `scale`. */
export function normals(n: number, seed = 1, scale = 1): Float32Array<ArrayBuffer> {
  const uniform = uniforms(seed);
  return Float32Array.from({ length: n }, () => {
    return scale * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  });
}
