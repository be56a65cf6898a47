// Operands of a matmul, in blocks of 4 × 4, whatever their layout: op(A) [M, K], op(B) [K, N].
//
// TRANS_A: A is stored [K, M]; TRANS_B: B is stored [N, K].
// VEC_A, VEC_B: the operand's leading dimension is a multiple of 4 and, where it is not transposed onto
// K, so is its other extent: whole vec4 loads. Otherwise elements are picked one by one, with bounds.
// EXACT_K: K is a multiple of 4.

struct Params { m: u32, n: u32, k: u32, lda: u32, ldb: u32, ldc: u32, epilogue: u32, split: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> aux: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

override TRANS_A: bool = false;
override TRANS_B: bool = false;
override VEC_A: bool = false;
override VEC_B: bool = false;
override EXACT_K: bool = false;

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
