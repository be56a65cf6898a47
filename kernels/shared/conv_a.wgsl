// The left operand of a convolution as a matmul: rows are places, k are taps (conv_taps.wgsl). Beyond K it is 0.

// Read along its rows, as a matrix that is not transposed.
override TRANS_A: bool = false;

fn source(i: u32) -> vec4f {
  return vec4f(a[i]);
}

fn row_place(row: u32) -> vec3u {
  return place(min(row, params.m - 1u));
}

fn row_taps(row: u32, k: u32) -> vec4f {
  let v = taps(row_place(row), 4u * k, params.k - 1u);
  return select(vec4f(), v, vec4u(4u * k) + vec4u(0u, 1u, 2u, 3u) < vec4u(params.k));
}

// Four rows over four k: element [i] is row 4m + i.
fn load_a(m: u32, k: u32) -> mat4x4f {
  let r = 4u * m;
  return mat4x4f(row_taps(r, k), row_taps(r + 1u, k), row_taps(r + 2u, k), row_taps(r + 3u, k));
}
