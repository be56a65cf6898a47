// C = op(A) · op(B), then an epilogue; 32×8 outputs per invocation, rows of A shared through the subgroup.
//
// op(A) [M, K], op(B) [K, N], C [M, N]: shared/whole_io.wgsl, whole_a.wgsl and whole_b.wgsl, or those of a convolution.
// Epilogue, in this order: + bias[n], where params.bias is 1; pre keeps the value and C gets its exact GELU
// (GELU); · GELU'(aux) (GELU_GRAD); + aux (ADD). Constants, since the code exists once for each of the 64 vec4s
// of outputs.
// Workgroups [·, ·, z] sum over `split` blocks of four k from z · split on and write to C + z · M · N.
//
// Needs subgroups of at least 8 invocations, so that a workgroup lies within one.
// Launch: workgroups [ceil(N / 64), ceil(M / 32), splits], 8 invocations each.
// Software adapters are bound by loads: each lane loads 4 of the 32 rows and gives them to all, so four k take
// 48 vec4 loads for 1024 multiply-adds. Every lane reaches every broadcast: rows and columns beyond the matrix
// are loaded from its edge, and not stored.
// The sum over K runs in one invocation, in order: the same bits every time.

override GELU: bool = false;
override GELU_GRAD: bool = false;
override ADD: bool = false;

alias Real = vec4f;

fn put_row(at: u32, sum: vec4f) {
  var v = sum;
  if (GELU) {
    pre[at] = v;
    v = gelu(v);
  }
  if (GELU_GRAD) { v *= gelu_grad(aux[at]); }
  if (ADD) { v += aux[at]; }
  c[at] = v;
}

// Four rows of four columns from row `row` and vec4 `n` on.
fn put(first: u32, row: u32, n: u32, sum: mat4x4f) {
  let l = params.ldc / 4u;
  let at = first + row * l + n;
  if (4u * n >= params.n || row >= params.m) { return; }
  put_row(at, sum[0]);
  if (row + 1u >= params.m) { return; }
  put_row(at + l, sum[1]);
  if (row + 2u >= params.m) { return; }
  put_row(at + 2u * l, sum[2]);
  if (row + 3u >= params.m) { return; }
  put_row(at + 3u * l, sum[3]);
}

fn bias_at(n: u32) -> mat4x4f {
  if (params.bias == 0u) { return mat4x4f(); }
  let v = bias[min(n, params.n / 4u - 1u)];
  return mat4x4f(v, v, v, v);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let m = wg.y * 8u;
  let n = (wg.x * 8u + lane) * 2u;
  var c0a = bias_at(n); var c0b = bias_at(n + 1u);
  var c1a = c0a; var c1b = c0b;
  var c2a = c0a; var c2b = c0b;
  var c3a = c0a; var c3b = c0b;
  var c4a = c0a; var c4b = c0b;
  var c5a = c0a; var c5b = c0b;
  var c6a = c0a; var c6b = c0b;
  var c7a = c0a; var c7b = c0b;
  let blocks = (params.k + 3u) / 4u;
  let end = min(blocks, (wg.z + 1u) * params.split);
  for (var k = wg.z * params.split; k < end; k++) {
    let ba = load_b(k, n);
    let bb = load_b(k, n + 1u);
    let own = load_a(m + lane, k);
    var r = mat4x4f(subgroupBroadcast(own[0], 0u), subgroupBroadcast(own[1], 0u), subgroupBroadcast(own[2], 0u), subgroupBroadcast(own[3], 0u));
    c0a += ba * r; c0b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 1u), subgroupBroadcast(own[1], 1u), subgroupBroadcast(own[2], 1u), subgroupBroadcast(own[3], 1u));
    c1a += ba * r; c1b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 2u), subgroupBroadcast(own[1], 2u), subgroupBroadcast(own[2], 2u), subgroupBroadcast(own[3], 2u));
    c2a += ba * r; c2b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 3u), subgroupBroadcast(own[1], 3u), subgroupBroadcast(own[2], 3u), subgroupBroadcast(own[3], 3u));
    c3a += ba * r; c3b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 4u), subgroupBroadcast(own[1], 4u), subgroupBroadcast(own[2], 4u), subgroupBroadcast(own[3], 4u));
    c4a += ba * r; c4b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 5u), subgroupBroadcast(own[1], 5u), subgroupBroadcast(own[2], 5u), subgroupBroadcast(own[3], 5u));
    c5a += ba * r; c5b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 6u), subgroupBroadcast(own[1], 6u), subgroupBroadcast(own[2], 6u), subgroupBroadcast(own[3], 6u));
    c6a += ba * r; c6b += bb * r;
    r = mat4x4f(subgroupBroadcast(own[0], 7u), subgroupBroadcast(own[1], 7u), subgroupBroadcast(own[2], 7u), subgroupBroadcast(own[3], 7u));
    c7a += ba * r; c7b += bb * r;
  }
  let row = 4u * m;
  let first = wg.z * params.m * (params.ldc / 4u);
  put(first, row, n, c0a); put(first, row, n + 1u, c0b);
  put(first, row + 4u, n, c1a); put(first, row + 4u, n + 1u, c1b);
  put(first, row + 8u, n, c2a); put(first, row + 8u, n + 1u, c2b);
  put(first, row + 12u, n, c3a); put(first, row + 12u, n + 1u, c3b);
  put(first, row + 16u, n, c4a); put(first, row + 16u, n + 1u, c4b);
  put(first, row + 20u, n, c5a); put(first, row + 20u, n + 1u, c5b);
  put(first, row + 24u, n, c6a); put(first, row + 24u, n + 1u, c6b);
  put(first, row + 28u, n, c7a); put(first, row + 28u, n + 1u, c7b);
}
