// C = op(A) · op(B), then an epilogue; 8×8 outputs per invocation, all in registers: any shape, any adapter.
//
// op(A) [M, K], op(B) [K, N], C [M, N]: shared/matmul_io.wgsl, matmul_a.wgsl and matmul_b.wgsl, or those of a
// convolution; the epilogue is in shared/matmul_store.wgsl.
// Workgroups [·, ·, z] sum over `split` blocks of four k from z · split on and write to C + z · M · N.
//
// Launch: workgroups [ceil(N / 64), ceil(M / 64), splits], 64 invocations each.
// Four k take 64 loads for 256 multiply-adds; fits the registers of every GPU.
// The sum over K runs in one invocation, in order: the same bits every time.

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = id.y * 2u;
  let n = id.x * 2u;
  if (4u * m >= params.m || 4u * n >= params.n) { return; }
  var c0a = start(4u * n); var c0b = start(4u * n + 4u);
  var c1a = c0a; var c1b = c0b;
  let end = min((params.k + 3u) / 4u, (id.z + 1u) * params.split);
  for (var k = id.z * params.split; k < end; k++) {
    let ba = load_b(k, n);
    let bb = load_b(k, n + 1u);
    var rows = load_a(m, k);
    c0a += ba * rows; c0b += bb * rows;
    rows = load_a(m + 1u, k);
    c1a += ba * rows; c1b += bb * rows;
  }
  put(id.z, 4u * m, 4u * n, c0a); put(id.z, 4u * m, 4u * n + 4u, c0b);
  put(id.z, 4u * m + 4u, 4u * n, c1a); put(id.z, 4u * m + 4u, 4u * n + 4u, c1b);
  finish_block(4u * m, 4u * n, 8u, 8u);
}
