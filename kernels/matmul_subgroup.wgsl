// C = op(A) · op(B), then an epilogue; 64 vec4s of outputs per invocation, rows of A shared through the subgroup.
//
// op(A) [M, K], op(B) [K, N], C [M, N]: shared/whole_io.wgsl, whole_a.wgsl and whole_b.wgsl, or those of a convolution;
// the epilogue is in shared/whole_store.wgsl, sums of op(A) over K in shared/matmul_sums.wgsl.
// Workgroups [·, ·, z] sum over `split` blocks of four k from z · split on.
//
// Needs subgroups of at least LANES invocations, so that a workgroup lies within one: 8, of 32 × 8 outputs each, or
// with WIDE 16, of 64 × 4.
// Launch: workgroups [ceil(N / 64), ceil(M / (4 · LANES)), splits].
// Software adapters are bound by loads: each lane loads four rows and gives them to all, so four k take 12 vec4 loads of
// a lane, or 8 with WIDE, for its 1024 multiply-adds. Every lane reaches every broadcast: rows and columns beyond
// the matrix are loaded from its edge, and not stored.
// The sum over K runs in one invocation, in order: the same bits every time.

override LANES: u32 = 8u;
override WIDE: bool = false;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let m = wg.y * LANES;
  let n = wg.x * 16u + lane * (16u / LANES);
  // Where the blocks b lie from the blocks a.
  let down = select(0u, 32u, WIDE);
  let right = select(4u, 0u, WIDE);
  var c0a = start(4u * n); var c0b = start(4u * n + right);
  var c1a = c0a; var c1b = c0b;
  var c2a = c0a; var c2b = c0b;
  var c3a = c0a; var c3b = c0b;
  var c4a = c0a; var c4b = c0b;
  var c5a = c0a; var c5b = c0b;
  var c6a = c0a; var c6b = c0b;
  var c7a = c0a; var c7b = c0b;
  var sum = vec4f();
  let end = min((params.k + 3u) / 4u, (wg.z + 1u) * params.split);
  for (var k = wg.z * params.split; k < end; k++) {
    let ba = load_b(k, n);
    var bb = ba;
    if (!WIDE) { bb = load_b(k, n + 1u); }
    let own = load_a(m + lane, k);
    if (SUMS) { sum += vec4f(1.0) * own; }
    var r = mat4x4f(subgroupBroadcast(own[0], 0u), subgroupBroadcast(own[1], 0u), subgroupBroadcast(own[2], 0u), subgroupBroadcast(own[3], 0u));
    c0a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 8u), subgroupBroadcast(own[1], 8u), subgroupBroadcast(own[2], 8u), subgroupBroadcast(own[3], 8u)); }
    c0b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 1u), subgroupBroadcast(own[1], 1u), subgroupBroadcast(own[2], 1u), subgroupBroadcast(own[3], 1u));
    c1a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 9u), subgroupBroadcast(own[1], 9u), subgroupBroadcast(own[2], 9u), subgroupBroadcast(own[3], 9u)); }
    c1b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 2u), subgroupBroadcast(own[1], 2u), subgroupBroadcast(own[2], 2u), subgroupBroadcast(own[3], 2u));
    c2a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 10u), subgroupBroadcast(own[1], 10u), subgroupBroadcast(own[2], 10u), subgroupBroadcast(own[3], 10u)); }
    c2b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 3u), subgroupBroadcast(own[1], 3u), subgroupBroadcast(own[2], 3u), subgroupBroadcast(own[3], 3u));
    c3a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 11u), subgroupBroadcast(own[1], 11u), subgroupBroadcast(own[2], 11u), subgroupBroadcast(own[3], 11u)); }
    c3b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 4u), subgroupBroadcast(own[1], 4u), subgroupBroadcast(own[2], 4u), subgroupBroadcast(own[3], 4u));
    c4a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 12u), subgroupBroadcast(own[1], 12u), subgroupBroadcast(own[2], 12u), subgroupBroadcast(own[3], 12u)); }
    c4b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 5u), subgroupBroadcast(own[1], 5u), subgroupBroadcast(own[2], 5u), subgroupBroadcast(own[3], 5u));
    c5a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 13u), subgroupBroadcast(own[1], 13u), subgroupBroadcast(own[2], 13u), subgroupBroadcast(own[3], 13u)); }
    c5b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 6u), subgroupBroadcast(own[1], 6u), subgroupBroadcast(own[2], 6u), subgroupBroadcast(own[3], 6u));
    c6a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 14u), subgroupBroadcast(own[1], 14u), subgroupBroadcast(own[2], 14u), subgroupBroadcast(own[3], 14u)); }
    c6b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 7u), subgroupBroadcast(own[1], 7u), subgroupBroadcast(own[2], 7u), subgroupBroadcast(own[3], 7u));
    c7a += ba * r;
    if (WIDE) { r = mat4x4f(subgroupBroadcast(own[0], 15u), subgroupBroadcast(own[1], 15u), subgroupBroadcast(own[2], 15u), subgroupBroadcast(own[3], 15u)); }
    c7b += bb * r;
  }
  let row = 4u * m;
  let col = 4u * n;
  put(wg.z, row, col, c0a); put(wg.z, row + down, col + right, c0b);
  put(wg.z, row + 4u, col, c1a); put(wg.z, row + 4u + down, col + right, c1b);
  put(wg.z, row + 8u, col, c2a); put(wg.z, row + 8u + down, col + right, c2b);
  put(wg.z, row + 12u, col, c3a); put(wg.z, row + 12u + down, col + right, c3b);
  put(wg.z, row + 16u, col, c4a); put(wg.z, row + 16u + down, col + right, c4b);
  put(wg.z, row + 20u, col, c5a); put(wg.z, row + 20u + down, col + right, c5b);
  put(wg.z, row + 24u, col, c6a); put(wg.z, row + 24u + down, col + right, c6b);
  put(wg.z, row + 28u, col, c7a); put(wg.z, row + 28u + down, col + right, c7b);
  if (SUMS) {
    if (wg.x == 0u && lane < LANES) { put_sums(wg.z, 4u * (m + lane), sum); }
  }
}
