// C = op(A) · op(B), then an epilogue; tiles of C out of slabs of A and B in workgroup memory: for GPUs.
//
// op(A) [M, K], op(B) [K, N], C [M, N], and how they are read and written: the shared parts this is put together
// with, for whole vec4s or for any shape, or those of a convolution; sums of op(A) over K: shared/matmul_sums.wgsl.
// A workgroup has X × Y invocations, X a multiple of 8; each makes ROWS × COLS blocks of 4 × 4 outputs (1 or 2 of
// either), 4 · Y rows and 4 · X columns apart, so that neighbours read and write neighbouring vec4s.
// Workgroups [·, ·, z] sum over `split` blocks of four k from z · split on.
//
// Launch: workgroups [ceil(N / (4 · X · COLS)), ceil(M / (4 · Y · ROWS)), splits]; what tiles there are, and what
// memory they take, is in lib/ops/matmul/tiles.ts.
// A slab is DEPTH blocks of four k (2, 4 or 8). While one is multiplied, the next is loaded into registers, and then
// stored where the one before was: one barrier a slab. Every invocation loads LOADS blocks of a slab.
// The sum over K runs in one invocation, in order: the same bits every time.

override X: u32 = 8u;
override Y: u32 = 8u;
override ROWS: u32 = 1u;
override COLS: u32 = 1u;
override DEPTH: u32 = 4u;
override LOADS: u32 = 1u;
// Blocks of a slab: Y · ROWS · DEPTH of A, X · COLS · DEPTH of B.
override A_BLOCKS: u32 = 32u;
override B_BLOCKS: u32 = 32u;

// Vec4s of workgroup memory, 8 · (A_BLOCKS + B_BLOCKS).
override VECS: u32 = 512u;

// Of A, then of B, [slab's parity][k of a block][block]; a vec4 is four rows of A, four columns of B, at one k.
var<workgroup> tile: array<vec4f, VECS>;

// Blocks of A are loaded along its rows in memory and stored in the order of loading; reading them, eight neighbours
// want the same one.
fn place_a(m: u32, k: u32) -> u32 {
  return select(m * DEPTH + k, k * (Y * ROWS) + m, TRANS_A);
}

// Reading B, eight neighbours want neighbouring blocks. Where they are loaded along K, an exclusive or spreads those
// that are stored together over the banks.
fn place_b(k: u32, n: u32) -> u32 {
  return k * (X * COLS) + (n ^ select(0u, (k * (8u / DEPTH)) & 7u, TRANS_B));
}

// Block `slot` of the slab that begins at k: those of A first, then those of B; 0 beyond `end`.
fn fetch(slot: u32, m: u32, n: u32, k: u32, end: u32) -> mat4x4f {
  if (slot < A_BLOCKS) {
    let at = select(vec2u(slot / DEPTH, slot % DEPTH), vec2u(slot % (Y * ROWS), slot / (Y * ROWS)), TRANS_A);
    if (k + at.y < end) { return transpose(load_a(m + at.x, k + at.y)); }
  } else if (slot < A_BLOCKS + B_BLOCKS) {
    let i = slot - A_BLOCKS;
    let at = select(vec2u(i % (X * COLS), i / (X * COLS)), vec2u(i / DEPTH, i % DEPTH), TRANS_B);
    if (k + at.y < end) { return load_b(k + at.y, n + at.x); }
  }
  return mat4x4f();
}

fn keep(slot: u32, parity: u32, block: mat4x4f) {
  if (slot < A_BLOCKS) {
    let at = parity * 4u * A_BLOCKS + slot;
    tile[at] = block[0];
    tile[at + A_BLOCKS] = block[1];
    tile[at + 2u * A_BLOCKS] = block[2];
    tile[at + 3u * A_BLOCKS] = block[3];
  } else if (slot < A_BLOCKS + B_BLOCKS) {
    let i = slot - A_BLOCKS;
    let along_k = place_b(i % DEPTH, i / DEPTH);
    let at = 8u * A_BLOCKS + parity * 4u * B_BLOCKS + select(i, along_k, TRANS_B);
    tile[at] = block[0];
    tile[at + B_BLOCKS] = block[1];
    tile[at + 2u * B_BLOCKS] = block[2];
    tile[at + 3u * B_BLOCKS] = block[3];
  }
}

// sum + a · bᵀ: row i of four columns is sum[i].
fn grow(sum: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(fma(b, a.xxxx, sum[0]), fma(b, a.yyyy, sum[1]), fma(b, a.zzzz, sum[2]), fma(b, a.wwww, sum[3]));
}

@compute @workgroup_size(X, Y)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) local: u32) {
  let x = local % X;
  let y = local / X;
  let m = wg.y * Y * ROWS;
  let n = wg.x * X * COLS;
  let next = local + X * Y;
  let col = 4u * (n + x);
  var c0a = start(col);
  var c0b = start(col + 4u * X);
  var c1a = c0a;
  var c1b = c0b;
  let begin = wg.z * params.split;
  let end = min((params.k + 3u) / 4u, begin + params.split);
  var own = fetch(local, m, n, begin, end);
  var other = mat4x4f();
  if (LOADS > 1u) { other = fetch(next, m, n, begin, end); }
  keep(local, 0u, own);
  if (LOADS > 1u) { keep(next, 0u, other); }
  var sum = vec4f();
  var parity = 0u;
  workgroupBarrier();
  for (var k = begin; k < end; k += DEPTH) {
    if (SUMS) { sum += own[0] + own[1] + own[2] + own[3]; }
    let more = k + DEPTH < end;
    if (more) {
      own = fetch(local, m, n, k + DEPTH, end);
      if (LOADS > 1u) { other = fetch(next, m, n, k + DEPTH, end); }
    }
    for (var q = 0u; q < DEPTH; q++) {
      let at_a = parity * 4u * A_BLOCKS + place_a(y, q);
      let at_a2 = parity * 4u * A_BLOCKS + place_a(y + Y, q);
      let at_b = 8u * A_BLOCKS + parity * 4u * B_BLOCKS + place_b(q, x);
      let at_b2 = 8u * A_BLOCKS + parity * 4u * B_BLOCKS + place_b(q, x + X);
      for (var j = 0u; j < 4u; j++) {
        let a0 = tile[at_a + j * A_BLOCKS];
        let b0 = tile[at_b + j * B_BLOCKS];
        c0a = grow(c0a, a0, b0);
        if (COLS > 1u) { c0b = grow(c0b, a0, tile[at_b2 + j * B_BLOCKS]); }
        if (ROWS > 1u) {
          let a1 = tile[at_a2 + j * A_BLOCKS];
          c1a = grow(c1a, a1, b0);
          if (COLS > 1u) { c1b = grow(c1b, a1, tile[at_b2 + j * B_BLOCKS]); }
        }
      }
    }
    parity = 1u - parity;
    if (more) {
      keep(local, parity, own);
      if (LOADS > 1u) { keep(next, parity, other); }
    }
    workgroupBarrier();
  }
  let row = 4u * (m + y);
  put(wg.z, row, col, c0a);
  if (COLS > 1u) { put(wg.z, row, col + 4u * X, c0b); }
  if (ROWS > 1u) {
    put(wg.z, row + 4u * Y, col, c1a);
    if (COLS > 1u) { put(wg.z, row + 4u * Y, col + 4u * X, c1b); }
  }
  finish_block(row, col, 4u, 4u);
  if (COLS > 1u) { finish_block(row, col + 4u * X, 4u, 4u); }
  if (ROWS > 1u) {
    finish_block(row + 4u * Y, col, 4u, 4u);
    if (COLS > 1u) { finish_block(row + 4u * Y, col + 4u * X, 4u, 4u); }
  }
  if (SUMS) {
    // Each invocation has summed a block of every slab; A's blocks are the first ones.
    if (local < A_BLOCKS) { tile[local] = sum; }
    workgroupBarrier();
    if (wg.x == 0u && local < Y * ROWS) {
      var total = vec4f();
      for (var q = 0u; q < DEPTH; q++) { total += tile[place_a(local, q)]; }
      put_sums(wg.z, 4u * (m + local), total);
    }
  }
}
