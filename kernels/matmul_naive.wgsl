// C = op(A) · op(B), one output per invocation: for tiny products, and what faster kernels are checked against.
//
// op(A) [M, K], op(B) [K, N], C [M, N], row-major with leading dimensions lda, ldb, ldc.
// TRANS_A: A is stored [K, M]; TRANS_B: B is stored [N, K].
// Launch: grid(M · N, 64).

struct Params { m: u32, n: u32, k: u32, lda: u32, ldb: u32, ldc: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

override TRANS_A: bool = false;
override TRANS_B: bool = false;

// op(A)[row, k] · op(B)[k, col], 0 beyond K.
fn term(row: u32, col: u32, k: u32) -> f32 {
  let q = min(k, params.k - 1u);
  let at_a = select(row * params.lda + q, q * params.lda + row, TRANS_A);
  let at_b = select(q * params.ldb + col, col * params.ldb + q, TRANS_B);
  return select(0.0, a[at_a] * b[at_b], k < params.k);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.m * params.n) { return; }
  let row = i / params.n;
  let col = i % params.n;
  var sum = 0.0;
  // Four at a time, as the other kernels add.
  for (var k = 0u; k < params.k; k += 4u) {
    sum += term(row, col, k) + term(row, col, k + 1u) + term(row, col, k + 2u) + term(row, col, k + 3u);
  }
  c[row * params.ldc + col] = sum;
}
