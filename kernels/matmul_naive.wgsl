// C = op(A) · op(B), one output per invocation: for small products, and what faster kernels are checked against.
//
// op(A) [M, K], op(B) [K, N], C [M, N], row-major with leading dimensions lda, ldb, ldc.
// TRANS_A: A is stored [K, M]; TRANS_B: B is stored [N, K].
// Launch: grid(M · N, 64).

struct Params { m: u32, n: u32, k: u32, lda: u32, ldb: u32, ldc: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<a_real>;
@group(0) @binding(2) var<storage, read> b: array<b_real>;
@group(0) @binding(3) var<storage, read_write> c: array<c_real>;

override TRANS_A: bool = false;
override TRANS_B: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.m * params.n) { return; }
  let row = i / params.n;
  let col = i % params.n;
  var sum = 0.0;
  for (var k = 0u; k < params.k; k++) {
    let at_a = select(row * params.lda + k, k * params.lda + row, TRANS_A);
    let at_b = select(k * params.ldb + col, col * params.ldb + k, TRANS_B);
    sum += f32(a[at_a]) * f32(b[at_b]);
  }
  c[row * params.ldc + col] = c_real(sum);
}
