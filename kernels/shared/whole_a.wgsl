// The left operand of a matmul of whole vec4s: op(A) [M, K]. TRANS_A: A is stored [K, M].

override TRANS_A: bool = false;

// Row 4k + i of a k-major operand, as the vec4 at column block `col`; beyond K, A is 0.
fn a_k(k: u32, i: u32, col: u32) -> vec4f {
  let row = 4u * k + i;
  return select(vec4f(), vec4f(a[min(row, params.k - 1u) * (params.lda / 4u) + col]), row < params.k);
}

// Four rows of op(A) over four k: element [i] is row 4m + i.
fn load_a(m: u32, k: u32) -> mat4x4f {
  if (TRANS_A) {
    let col = min(m, params.m / 4u - 1u);
    return transpose(mat4x4f(a_k(k, 0u, col), a_k(k, 1u, col), a_k(k, 2u, col), a_k(k, 3u, col)));
  }
  let r = 4u * m;
  let l = params.lda / 4u;
  let last = params.m - 1u;
  return mat4x4f(vec4f(a[min(r, last) * l + k]), vec4f(a[min(r + 1u, last) * l + k]), vec4f(a[min(r + 2u, last) * l + k]), vec4f(a[min(r + 3u, last) * l + k]));
}
