// Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) without the N × N matrix.
//
// qkv [B, N, 3·D], laid out [q | k | v], each [head][head_dim] → out [B, N, D] = softmax(q kᵀ · scale) v,
// lse [B, heads, N] = log Σ exp(scale · scores) / scale, for the backward pass: its probabilities are
// exp(scale · (score − lse)), and scaling last keeps the scores the same to the last bit in every kernel,
// for a difference would be magnified by exp. The softmax runs online (Milakov and Gimelshein 2018,
// arXiv:1805.02867).
// VEC: head_dim is a multiple of 4.
// STAGED: keys and values go through workgroup memory, for adapters where that is fast.
// n: B · heads · N, the queries, one per invocation.
// Launch: grid(n, WIDTH); STAGED: grid(B · heads · ceil(N / WIDTH), 1), each workgroup for one head.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

override VEC: bool = false;
// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
override WIDTH: u32 = 64u;
override STAGED: bool = false;
// Keys in workgroup memory at once, TILE · BLOCKS <= 512.
override TILE: u32 = 1u;

var<workgroup> keys: array<vec4f, TILE * BLOCKS>;
var<workgroup> values: array<vec4f, TILE * BLOCKS>;

// Four channels of q, k, v (part 0, 1, 2) or of an output row, zero beyond the head.
fn qkv4(row: u32, part: u32, head: u32, c: u32) -> vec4f {
  let at = row * 3u * params.dim + part * params.dim + head * params.head_dim + 4u * c;
  if (VEC) { return qkv[at >> 2u]; }
  let left = params.head_dim - 4u * c;
  return vec4f(
    qkv[at >> 2u][at & 3u],
    select(0.0, qkv[(at + 1u) >> 2u][(at + 1u) & 3u], left > 1u),
    select(0.0, qkv[(at + 2u) >> 2u][(at + 2u) & 3u], left > 2u),
    select(0.0, qkv[(at + 3u) >> 2u][(at + 3u) & 3u], left > 3u),
  );
}

fn key4(row: u32, staged: u32, head: u32, c: u32) -> vec4f {
  if (STAGED) { return keys[staged * BLOCKS + c]; }
  return qkv4(row, 1u, head, c);
}

fn value4(row: u32, staged: u32, head: u32, c: u32) -> vec4f {
  if (STAGED) { return values[staged * BLOCKS + c]; }
  return qkv4(row, 2u, head, c);
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let group = wg.y * num.x + wg.x;
  let tiles = (params.tokens + WIDTH - 1u) / WIDTH;
  // Sample and head, and the token in that sequence. Idle invocations compute one again and store nothing.
  let flat = group * WIDTH + local;
  let place = select(
    vec2u(flat / params.tokens, flat % params.tokens),
    vec2u(group / tiles, group % tiles * WIDTH + local),
    STAGED,
  );
  let sample = min(place.x, params.n / params.tokens - 1u);
  let token = min(place.y, params.tokens - 1u);
  let valid = all(place == vec2u(sample, token));
  let index = sample * params.tokens + token;
  let head = sample % params.heads;
  let first = sample / params.heads * params.tokens;
  let row = first + token;
  var q: array<vec4f, 32>;
  var sum: array<vec4f, 32>;
  for (var c = 0u; c < BLOCKS; c++) { q[c] = qkv4(row, 0u, head, c); }
  var top = -3.4028234e38;
  var total = 0.0;
  let tile = select(params.tokens, TILE, STAGED);
  for (var base = 0u; base < params.tokens; base += tile) {
    let count = min(tile, params.tokens - base);
    if (STAGED) {
      workgroupBarrier();
      for (var i = local; i < count * BLOCKS; i += WIDTH) {
        keys[i] = qkv4(first + base + i / BLOCKS, 1u, head, i % BLOCKS);
        values[i] = qkv4(first + base + i / BLOCKS, 2u, head, i % BLOCKS);
      }
      workgroupBarrier();
    }
    for (var j = 0u; j < count; j++) {
      var score = 0.0;
      for (var c = 0u; c < BLOCKS; c++) { score += dot(q[c], key4(first + base + j, j, head, c)); }
      let new_top = max(top, score);
      let shrink = exp(params.scale * (top - new_top));
      let p = exp(params.scale * (score - new_top));
      top = new_top;
      total = total * shrink + p;
      for (var c = 0u; c < BLOCKS; c++) { sum[c] = sum[c] * shrink + p * value4(first + base + j, j, head, c); }
    }
  }
  if (valid) {
    let at = row * params.dim + head * params.head_dim;
    for (var c = 0u; c < BLOCKS; c++) {
      let v = sum[c] / total;
      for (var i = 0u; i < min(4u, params.head_dim - 4u * c); i++) { out[at + 4u * c + i] = v[i]; }
    }
    lse[index] = top + log(total) / params.scale;
  }
}
