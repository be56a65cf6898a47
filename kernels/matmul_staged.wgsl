// C = op(A) · op(B), then an epilogue; tiles of 64×64 outputs, staged in workgroup memory: for GPUs.
//
// op(A) [M, K], op(B) [K, N], C [M, N]: shared/matmul_io.wgsl, matmul_a.wgsl and matmul_b.wgsl, or those of a
// convolution; the epilogue is in shared/matmul_store.wgsl.
// Workgroups [·, ·, z] sum over `split` blocks of four k from z · split on and write to C + z · M · N.
//
// Launch: workgroups [ceil(N / 64), ceil(M / 64), splits], 64 invocations each, 9 KiB of workgroup memory.
// 16 k of both operands are staged at a time, a block of 4×4 of each by every invocation, and used by 8 of
// them; an invocation makes four blocks of 4×4 outputs, 32 apart, so that neighbours read neighbouring vec4s.
// The sum over K runs in one invocation, in order: the same bits every time.

// [row][k / 4], rows padded to 5 vec4s against bank conflicts; [k][column / 4].
var<workgroup> tile_a: array<vec4f, 320>;
var<workgroup> tile_b: array<vec4f, 256>;

fn stage(m: u32, n: u32, k: u32, end: u32, local: u32) {
  // Neighbours read along the operand's rows: along K, or across it.
  let at_a = select(vec2u(local / 4u, local % 4u), vec2u(local % 16u, local / 16u), TRANS_A);
  let at_b = select(vec2u(local % 16u, local / 16u), vec2u(local / 4u, local % 4u), TRANS_B);
  let last = end - 1u;
  // Beyond this split, A is 0.
  let live = k + at_a.y <= last;
  let block_a = load_a(m + at_a.x, min(k + at_a.y, last));
  let block_b = load_b(min(k + at_b.y, last), n + at_b.x);
  for (var i = 0u; i < 4u; i++) {
    tile_a[(4u * at_a.x + i) * 5u + at_a.y] = select(vec4f(), block_a[i], live);
    tile_b[(4u * at_b.y + i) * 16u + at_b.x] = block_b[i];
  }
}

fn rows_of(row: u32, k: u32) -> mat4x4f {
  let at = row * 5u + k;
  return mat4x4f(tile_a[at], tile_a[at + 5u], tile_a[at + 10u], tile_a[at + 15u]);
}

fn columns_of(k: u32, column: u32) -> mat4x4f {
  let at = 64u * k + column;
  return mat4x4f(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) local: u32) {
  let x = local % 8u;
  let y = local / 8u;
  var c0a = mat4x4f(); var c0b = mat4x4f();
  var c1a = mat4x4f(); var c1b = mat4x4f();
  let end = min((params.k + 3u) / 4u, (wg.z + 1u) * params.split);
  for (var k = wg.z * params.split; k < end; k += 4u) {
    workgroupBarrier();
    stage(16u * wg.y, 16u * wg.x, k, end, local);
    workgroupBarrier();
    for (var q = 0u; q < 4u; q++) {
      let ba = columns_of(q, x);
      let bb = columns_of(q, 8u + x);
      var rows = rows_of(4u * y, q);
      c0a += ba * rows; c0b += bb * rows;
      rows = rows_of(32u + 4u * y, q);
      c1a += ba * rows; c1b += bb * rows;
    }
  }
  let first = wg.z * params.m * params.ldc;
  let row = 64u * wg.y + 4u * y;
  let col = 64u * wg.x + 4u * x;
  put(first, row, col, c0a); put(first, row, col + 32u, c0b);
  put(first, row + 32u, col, c1a); put(first, row + 32u, col + 32u, c1b);
  if ((params.epilogue & ~ACCUMULATE) == 0u) { return; }
  finish_block(row, col, 4u, 4u); finish_block(row, col + 32u, 4u, 4u);
  finish_block(row + 32u, col, 4u, 4u); finish_block(row + 32u, col + 32u, 4u, 4u);
}
