// Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) without the N × N matrix.
//
// qkv [B, N, 3·D], laid out [q | k | v], each [head][head_dim] → out [B, N, D] = softmax(q kᵀ · scale) v,
// lse [B, heads, N] = log Σ exp(scale · scores) / scale, for the backward pass: its probabilities are
// exp(scale · (score − lse)), and scaling last keeps the scores the same to the last bit in every kernel,
// for a difference would be magnified by exp. The softmax runs online (Milakov and Gimelshein 2018,
// arXiv:1805.02867).
// VEC: head_dim is a multiple of 4.
// Launch: grid(B · heads · N, 64), one query per invocation.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

override VEC: bool = false;
// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;

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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (wg.y * num.x + wg.x) * 64u + local;
  if (index >= params.n) { return; }
  let head = index / params.tokens % params.heads;
  let first = index / (params.tokens * params.heads) * params.tokens;
  let row = first + index % params.tokens;
  var q: array<vec4f, 32>;
  var sum: array<vec4f, 32>;
  for (var c = 0u; c < BLOCKS; c++) { q[c] = qkv4(row, 0u, head, c); }
  var top = -3.4028234e38;
  var total = 0.0;
  for (var j = first; j < first + params.tokens; j++) {
    var score = 0.0;
    for (var c = 0u; c < BLOCKS; c++) { score += dot(q[c], qkv4(j, 1u, head, c)); }
    let new_top = max(top, score);
    let shrink = exp(params.scale * (top - new_top));
    let p = exp(params.scale * (score - new_top));
    top = new_top;
    total = total * shrink + p;
    for (var c = 0u; c < BLOCKS; c++) { sum[c] = sum[c] * shrink + p * qkv4(j, 2u, head, c); }
  }
  let at = row * params.dim + head * params.head_dim;
  for (var c = 0u; c < BLOCKS; c++) {
    let v = sum[c] / total;
    for (var i = 0u; i < min(4u, params.head_dim - 4u * c); i++) { out[at + 4u * c + i] = v[i]; }
  }
  lse[index] = top + log(total) / params.scale;
}
