// The left operand of a matmul, a matrix in blocks of 4 × 4, whatever its layout: op(A) [M, K].
//
// TRANS_A: A is stored [K, M].
// VEC_A: its leading dimension is a multiple of 4 and, where it is not transposed onto K, so is its other extent:
// whole vec4 loads. Otherwise elements are picked one by one, with bounds.

override TRANS_A: bool = false;
override VEC_A: bool = false;

// op(A)[row, k] with bounds; beyond K it is 0. Without a branch: these are inlined many times, and SwiftShader's
// compiler does not end on 64 branches.
fn a_at(row: u32, k: u32) -> f32 {
  let q = min(k, params.k - 1u);
  let r = min(row, params.m - 1u);
  let i = select(r * params.lda + q, q * params.lda + r, TRANS_A);
  return select(0.0, f32(a[i >> 2u][i & 3u]), k < params.k);
}

fn a_row(row: u32, k: u32) -> vec4f {
  return vec4f(a_at(row, k), a_at(row, k + 1u), a_at(row, k + 2u), a_at(row, k + 3u));
}

// Row 4k + i of a k-major operand, as the vec4 at column block `col`.
fn a_k(k: u32, i: u32, col: u32) -> vec4f {
  let row = 4u * k + i;
  if (EXACT_K) { return vec4f(a[row * (params.lda / 4u) + col]); }
  return select(vec4f(), vec4f(a[min(row, params.k - 1u) * (params.lda / 4u) + col]), row < params.k);
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
    return mat4x4f(vec4f(a[min(r, last) * l + k]), vec4f(a[min(r + 1u, last) * l + k]), vec4f(a[min(r + 2u, last) * l + k]), vec4f(a[min(r + 3u, last) * l + k]));
  }
  return mat4x4f(a_row(r, 4u * k), a_row(r + 1u, 4u * k), a_row(r + 2u, 4u * k), a_row(r + 3u, 4u * k));
}
