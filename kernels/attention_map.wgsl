// Attention probabilities, for pictures and tests: [B, heads, Q, N] of the first Q queries, from qkv and the lse of
// attention.
//
// n: B · heads · Q · N. Launch: grid(n, 64), one query and key per invocation: loops stay short, which some software
// adapters need.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, queries: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_vec4>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> map: array<f32>;

// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
// Scores as shared/attention_tile.wgsl has them, to the last bit; else as the other kernels.
override TILED: bool = false;

fn add_products(score: f32, q: vec4f, k: vec4f) -> f32 {
  if (TILED) { return fma(q.w, k.w, fma(q.z, k.z, fma(q.y, k.y, fma(q.x, k.x, score)))); }
  return score + dot(q, k);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (wg.y * num.x + wg.x) * 64u + local;
  if (index >= params.n) { return; }
  let at = index / params.tokens;
  let sequence = at / params.queries;
  let query = at % params.queries;
  let head = sequence % params.heads;
  let first = sequence / params.heads * params.tokens;
  let row = (first + query) * 3u * params.dim + head * params.head_dim;
  let key = (first + index % params.tokens) * 3u * params.dim + params.dim + head * params.head_dim;
  var score = 0.0;
  for (var c = 0u; c < BLOCKS; c++) { score = add_products(score, qkv4(row, c), qkv4(key, c)); }
  map[index] = exp(params.scale * (score - lse[sequence * params.tokens + query]));
}
