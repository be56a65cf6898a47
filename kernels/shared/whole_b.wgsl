// The right operand of a matmul of whole vec4s: op(B) [K, N]. TRANS_B: B is stored [N, K].

override TRANS_B: bool = false;

fn b_k(k: u32, i: u32, col: u32) -> vec4f {
  let row = 4u * k + i;
  return vec4f(b[min(row, params.k - 1u) * (params.ldb / 4u) + col]);
}

// Four k of op(B) over four columns: element [i] is row 4k + i.
fn load_b(k: u32, n: u32) -> mat4x4f {
  let col = min(n, params.n / 4u - 1u);
  if (TRANS_B) {
    let l = params.ldb / 4u;
    let r = 4u * col;
    return transpose(mat4x4f(vec4f(b[r * l + k]), vec4f(b[(r + 1u) * l + k]), vec4f(b[(r + 2u) * l + k]), vec4f(b[(r + 3u) * l + k])));
  }
  return mat4x4f(b_k(k, 0u, col), b_k(k, 1u, col), b_k(k, 2u, col), b_k(k, 3u, col));
}
