// C = op(A) · op(B), then an epilogue; tiles of 64×64 outputs, staged in workgroup memory: for GPUs.
//
// op(A) [M, K], op(B) [K, N], C [M, N], row-major with leading dimensions lda, ldb, ldc.
// TRANS_A: A is stored [K, M]; TRANS_B: B is stored [N, K].
// VEC_A, VEC_B: the operand's leading dimension is a multiple of 4 and, where it is not transposed onto
// K, so is its other extent: whole vec4 loads. Otherwise elements are picked one by one, with bounds.
// EXACT_K: K is a multiple of 4.
// Epilogue, bits of params.epilogue in this order: + the old C (ACCUMULATE); + bias[n] (BIAS); pre keeps
// the value and C gets its exact GELU (GELU); · GELU'(aux) (GELU_GRAD); + aux (ADD).
// Workgroups [·, ·, z] sum over `split` blocks of four k from z · split on and write to C + z · M · N.
//
// Launch: workgroups [ceil(N / 64), ceil(M / 64), splits], 64 invocations each, 9 KiB of workgroup memory.
// 16 k of both operands are staged at a time, a block of 4×4 of each by every invocation, and used by 8 of
// them; an invocation makes four blocks of 4×4 outputs, 32 apart, so that neighbours read neighbouring vec4s.
// The sum over K runs in one invocation, in order: the same bits every time.

struct Params { m: u32, n: u32, k: u32, lda: u32, ldb: u32, ldc: u32, epilogue: u32, split: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> aux: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

// [row][k / 4], rows padded to 5 vec4s against bank conflicts; [k][column / 4].
var<workgroup> tile_a: array<vec4f, 320>;
var<workgroup> tile_b: array<vec4f, 256>;

override TRANS_A: bool = false;
override TRANS_B: bool = false;
override VEC_A: bool = false;
override VEC_B: bool = false;
override EXACT_K: bool = false;

const ACCUMULATE = 1u;
const BIAS = 2u;
const GELU = 4u;
const GELU_GRAD = 8u;
const ADD = 16u;

fn has(bit: u32) -> bool {
  return (params.epilogue & bit) != 0u;
}

// erf by a rational approximation on [-4, 4] (about 2 ulp), 1 beyond.
fn erf(x: f32) -> f32 {
  let y = clamp(x, -4.0, 4.0);
  let z = y * y;
  var p = z * -2.72614225801306e-10 + 2.77068142495902e-08;
  p = z * p - 2.10102402082508e-06;
  p = z * p - 5.69250639462346e-05;
  p = z * p - 7.34990630326855e-04;
  p = z * p - 2.95459980854025e-03;
  p = z * p - 1.60960333262415e-02;
  var q = z * -1.45660718464996e-05 - 2.13374055278905e-04;
  q = z * q - 1.68282697438203e-03;
  q = z * q - 7.37332916720468e-03;
  q = z * q - 1.42647390514189e-02;
  return y * p / q;
}

fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1.0 + erf(x * 0.70710678118));
}

fn gelu_grad(x: f32) -> f32 {
  // Beyond |x| = 12 the term x · density is nothing beside 1; the bound keeps it so for any x.
  let w = clamp(x, -12.0, 12.0);
  return 0.5 * (1.0 + erf(x * 0.70710678118)) + w * 0.3989422804 * exp(-0.5 * w * w);
}

// op(A)[row, k] and op(B)[k, col] with bounds; beyond K, A is 0. Without a branch: these are inlined many
// times, and SwiftShader's compiler does not end on 64 branches.
fn a_at(row: u32, k: u32) -> f32 {
  let q = min(k, params.k - 1u);
  let r = min(row, params.m - 1u);
  let i = select(r * params.lda + q, q * params.lda + r, TRANS_A);
  return select(0.0, a[i >> 2u][i & 3u], k < params.k);
}

fn b_at(k: u32, col: u32) -> f32 {
  let q = min(k, params.k - 1u);
  let j = min(col, params.n - 1u);
  let i = select(q * params.ldb + j, j * params.ldb + q, TRANS_B);
  return b[i >> 2u][i & 3u];
}

fn a_row(row: u32, k: u32) -> vec4f {
  return vec4f(a_at(row, k), a_at(row, k + 1u), a_at(row, k + 2u), a_at(row, k + 3u));
}

fn b_row(k: u32, col: u32) -> vec4f {
  return vec4f(b_at(k, col), b_at(k, col + 1u), b_at(k, col + 2u), b_at(k, col + 3u));
}

// Row 4k + i of a k-major operand, as the vec4 at column block `col`.
fn a_k(k: u32, i: u32, col: u32) -> vec4f {
  let row = 4u * k + i;
  if (EXACT_K) { return a[row * (params.lda / 4u) + col]; }
  return select(vec4f(), a[min(row, params.k - 1u) * (params.lda / 4u) + col], row < params.k);
}

fn b_k(k: u32, i: u32, col: u32) -> vec4f {
  let row = 4u * k + i;
  if (EXACT_K) { return b[row * (params.ldb / 4u) + col]; }
  return b[min(row, params.k - 1u) * (params.ldb / 4u) + col];
}

// Four rows of op(A) over four k: element [i] is row 4m + i.
fn load_a(m: u32, k: u32) -> mat4x4f {
  if (VEC_A && TRANS_A) {
    let col = min(m, params.m / 4u - 1u);
    return transpose(mat4x4f(a_k(k, 0u, col), a_k(k, 1u, col), a_k(k, 2u, col), a_k(k, 3u, col)));
  }
  let r = 4u * m;
  if (VEC_A) {
    let l = params.lda / 4u;
    let last = params.m - 1u;
    return mat4x4f(a[min(r, last) * l + k], a[min(r + 1u, last) * l + k], a[min(r + 2u, last) * l + k], a[min(r + 3u, last) * l + k]);
  }
  return mat4x4f(a_row(r, 4u * k), a_row(r + 1u, 4u * k), a_row(r + 2u, 4u * k), a_row(r + 3u, 4u * k));
}

// Four k of op(B) over four columns: element [i] is row 4k + i.
fn load_b(k: u32, n: u32) -> mat4x4f {
  if (VEC_B && TRANS_B) {
    let l = params.ldb / 4u;
    let last = params.n - 1u;
    let r = 4u * n;
    return transpose(mat4x4f(b[min(r, last) * l + k], b[min(r + 1u, last) * l + k], b[min(r + 2u, last) * l + k], b[min(r + 3u, last) * l + k]));
  }
  if (VEC_B) {
    let col = min(n, params.n / 4u - 1u);
    return mat4x4f(b_k(k, 0u, col), b_k(k, 1u, col), b_k(k, 2u, col), b_k(k, 3u, col));
  }
  let q = 4u * k;
  return mat4x4f(b_row(q, 4u * n), b_row(q + 1u, 4u * n), b_row(q + 2u, 4u * n), b_row(q + 3u, 4u * n));
}

// Outputs are written one by one: invocations may share the vec4s of a row that is no multiple of 4.
fn put_row(first: u32, row: u32, col: u32, sum: vec4f) {
  if (row >= params.m || col >= params.n) { return; }
  let at = first + row * params.ldc + col;
  let add = has(ACCUMULATE);
  for (var i = 0u; i < min(4u, params.n - col); i++) {
    c[at + i] = select(sum[i], sum[i] + c[at + i], add);
  }
}

// Four rows of four columns.
fn put(first: u32, row: u32, col: u32, sum: mat4x4f) {
  put_row(first, row, col, sum[0]);
  put_row(first, row + 1u, col, sum[1]);
  put_row(first, row + 2u, col, sum[2]);
  put_row(first, row + 3u, col, sum[3]);
}

// The epilogue of the output at `at` in column `col`.
fn finish(at: u32, col: u32) {
  var v = c[at];
  if (has(BIAS)) { v += bias[col >> 2u][col & 3u]; }
  if (has(GELU)) {
    pre[at] = v;
    v = gelu(v);
  }
  if (has(GELU_GRAD)) { v *= gelu_grad(aux[at >> 2u][at & 3u]); }
  if (has(ADD)) { v += aux[at >> 2u][at & 3u]; }
  c[at] = v;
}

// A second pass over an invocation's own outputs, in a loop, so that the epilogue's code exists once.
fn finish_block(row: u32, col: u32, rows: u32, cols: u32) {
  for (var i = row; i < min(row + rows, params.m); i++) {
    for (var j = col; j < min(col + cols, params.n); j++) { finish(i * params.ldc + j, j); }
  }
}

fn stage(m: u32, n: u32, k: u32, end: u32, local: u32) {
  // Neighbours read along the operand's rows: along K, or across it.
  let at_a = select(vec2u(local / 4u, local % 4u), vec2u(local % 16u, local / 16u), TRANS_A);
  let at_b = select(vec2u(local % 16u, local / 16u), vec2u(local / 4u, local % 4u), TRANS_B);
  let last = end - 1u;
  // Beyond this split, A is 0.
  let live = k + at_a.y <= last;
  let block_a = load_a(m + at_a.x, min(k + at_a.y, last));
  let block_b = load_b(min(k + at_b.y, last), n + at_b.x);
  for (var i = 0u; i < 4u; i++) {
    tile_a[(4u * at_a.x + i) * 5u + at_a.y] = select(vec4f(), block_a[i], live);
    tile_b[(4u * at_b.y + i) * 16u + at_b.x] = block_b[i];
  }
}

fn rows_of(row: u32, k: u32) -> mat4x4f {
  let at = row * 5u + k;
  return mat4x4f(tile_a[at], tile_a[at + 5u], tile_a[at + 10u], tile_a[at + 15u]);
}

fn columns_of(k: u32, column: u32) -> mat4x4f {
  let at = 64u * k + column;
  return mat4x4f(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) local: u32) {
  let x = local % 8u;
  let y = local / 8u;
  var c0a = mat4x4f(); var c0b = mat4x4f();
  var c1a = mat4x4f(); var c1b = mat4x4f();
  let end = min((params.k + 3u) / 4u, (wg.z + 1u) * params.split);
  for (var k = wg.z * params.split; k < end; k += 4u) {
    workgroupBarrier();
    stage(16u * wg.y, 16u * wg.x, k, end, local);
    workgroupBarrier();
    for (var q = 0u; q < 4u; q++) {
      let ba = columns_of(q, x);
      let bb = columns_of(q, 8u + x);
      var rows = rows_of(4u * y, q);
      c0a += ba * rows; c0b += bb * rows;
      rows = rows_of(32u + 4u * y, q);
      c1a += ba * rows; c1b += bb * rows;
    }
  }
  let first = wg.z * params.m * params.ldc;
  let row = 64u * wg.y + 4u * y;
  let col = 64u * wg.x + 4u * x;
  put(first, row, col, c0a); put(first, row, col + 32u, c0b);
  put(first, row + 32u, col, c1a); put(first, row + 32u, col + 32u, c1b);
  if ((params.epilogue & ~ACCUMULATE) == 0u) { return; }
  finish_block(row, col, 4u, 4u); finish_block(row, col + 32u, 4u, 4u);
  finish_block(row + 32u, col, 4u, 4u); finish_block(row + 32u, col + 32u, 4u, 4u);
}
