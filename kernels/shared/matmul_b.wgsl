// The right operand of a matmul, a matrix in blocks of 4 × 4, whatever its layout: op(B) [K, N].
//
// TRANS_B: B is stored [N, K].
// VEC_B: its leading dimension is a multiple of 4 and, where it is not transposed onto K, so is its other extent:
// whole vec4 loads. Otherwise elements are picked one by one, with bounds.

override TRANS_B: bool = false;
override VEC_B: bool = false;

fn b_at(k: u32, col: u32) -> f32 {
  let q = min(k, params.k - 1u);
  let j = min(col, params.n - 1u);
  let i = select(q * params.ldb + j, j * params.ldb + q, TRANS_B);
  return f32(b[i >> 2u][i & 3u]);
}

fn b_row(k: u32, col: u32) -> vec4f {
  return vec4f(b_at(k, col), b_at(k, col + 1u), b_at(k, col + 2u), b_at(k, col + 3u));
}

fn b_k(k: u32, i: u32, col: u32) -> vec4f {
  let row = 4u * k + i;
  if (EXACT_K) { return vec4f(b[row * (params.ldb / 4u) + col]); }
  return vec4f(b[min(row, params.k - 1u) * (params.ldb / 4u) + col]);
}

// Four k of op(B) over four columns: element [i] is row 4k + i.
fn load_b(k: u32, n: u32) -> mat4x4f {
  if (VEC_B && TRANS_B) {
    let l = params.ldb / 4u;
    let last = params.n - 1u;
    let r = 4u * n;
    return transpose(mat4x4f(vec4f(b[min(r, last) * l + k]), vec4f(b[min(r + 1u, last) * l + k]), vec4f(b[min(r + 2u, last) * l + k]), vec4f(b[min(r + 3u, last) * l + k])));
  }
  if (VEC_B) {
    let col = min(n, params.n / 4u - 1u);
    return mat4x4f(b_k(k, 0u, col), b_k(k, 1u, col), b_k(k, 2u, col), b_k(k, 3u, col));
  }
  let q = 4u * k;
  return mat4x4f(b_row(q, 4u * n), b_row(q + 1u, 4u * n), b_row(q + 2u, 4u * n), b_row(q + 3u, 4u * n));
}
