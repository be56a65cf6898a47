/**
 * The compression of GIF.
 *
 * Of npm's decoders, those that read what is common practice (omggif, gifuct-js, modern-gif) fill up what is
 * missing without a word, so that a file that was cut off would pass for a picture; those that tell damage refuse
 * sound files.
 *
 * Source: GIF89a, appendix F.
 *
 * @module
 */

/** Most bits of a code, and codes that they can tell apart. */
const MOST_BITS = 12, MOST_CODES = 1 << MOST_BITS;

/**
 * Decodes until all values are there; what follows is left alone, as other readers do. A clear code may be missing
 * at the start or stand twice, and where the table is full, codes go on without new ones.
 *
 * @param data Codes, without the lengths of their blocks.
 * @param bits Bits of a value, 1 to 8.
 * @param length Number of values that are due.
 * @returns Values from 0 to 2^bits − 1: `[length]`.
 * @throws {Error} saying where, when data end too soon or hold a code that means nothing.
 */
export function lzwDecode(data: Uint8Array, bits: number, length: number): Uint8Array {
  if (!(bits >= 1 && bits <= 8)) throw new Error(`codes of ${bits} bits a value instead of 1 to 8`);
  // Before anything is allocated: no code means more values than there are codes.
  if (length > 8 * data.length / (bits + 1) * MOST_CODES) {
    throw new Error(`${data.length} bytes of data`);
  }
  const clear = 1 << bits, end = clear + 1;
  // A code means what its prefix means and then one value; `first` is the first value of all.
  const prefix = new Uint16Array(MOST_CODES), last = new Uint8Array(MOST_CODES);
  const first = new Uint8Array(MOST_CODES), lengths = new Uint32Array(MOST_CODES);
  for (let code = 0; code < clear; code++) {
    last[code] = first[code] = code;
    lengths[code] = 1;
  }
  const out = new Uint8Array(length);
  let next = end + 1, width = bits + 1, previous = -1;
  let pool = 0, inPool = 0, from = 0, to = 0;
  while (to < length) {
    for (; inPool < width && from < data.length; inPool += 8) pool |= data[from++] << inPool;
    if (inPool < width) throw new Error(`${to} of ${length} pixels`);
    const code = pool & (1 << width) - 1;
    pool >>>= width;
    inPool -= width;
    if (code === clear) {
      [next, width, previous] = [end + 1, bits + 1, -1];
      continue;
    }
    if (code === end) throw new Error(`its end after ${to} of ${length} pixels`);
    // The one code that may be used before it is made means the previous one and its own first value.
    if (code > next || code === next && previous < 0 || code >= clear && previous < 0) {
      throw new Error(`code ${code} after ${to} of ${length} pixels`);
    }
    if (previous >= 0 && next < MOST_CODES) {
      prefix[next] = previous;
      first[next] = first[previous];
      last[next] = code === next ? first[previous] : first[code];
      lengths[next] = lengths[previous] + 1;
      if (++next >= 1 << width && width < MOST_BITS) width++;
    }
    previous = code;
    const start = to;
    let at = to + lengths[code], c = code;
    to = Math.min(at, length);
    for (; at > to; at--) c = prefix[c]; // values beyond the last pixel
    for (; at > start; c = prefix[c]) out[--at] = last[c];
  }
  return out;
}
