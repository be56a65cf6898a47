// The right operand of a convolution as a matmul, for the gradient of its weight: k are places, columns are taps
// (conv_taps.wgsl). What lies beyond K is any number: the left operand is 0 there.

// Read along its rows, as a matrix that is not transposed.
override TRANS_B: bool = false;

fn source(i: u32) -> vec4f {
  return b[i];
}

// Four k over four columns: element [i] is row 4k + i.
fn load_b(k: u32, n: u32) -> mat4x4f {
  let last = params.k - 1u;
  let end = params.n - 1u;
  let r0 = place(min(4u * k, last));
  let r1 = place(min(4u * k + 1u, last));
  let r2 = place(min(4u * k + 2u, last));
  let r3 = place(min(4u * k + 3u, last));
  let col = 4u * n;
  return mat4x4f(taps(r0, col, end), taps(r1, col, end), taps(r2, col, end), taps(r3, col, end));
}
