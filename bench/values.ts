/**
 * Numbers that every contender makes for itself, so that all compute the same thing.
 *
 * @module
 */

/**
 * `size` values in [−scale/2, scale/2): a multiplicative hash of (index, seed), the same in
 * peers/torch_server.py.
 */
export function values(size: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const out = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let h = Math.imul(i + 1, 0x9e3779b1) + Math.imul(seed, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    out[i] = (((h ^ (h >>> 13)) >>> 8) / 2 ** 24 - 0.5) * scale;
  }
  return out;
}
