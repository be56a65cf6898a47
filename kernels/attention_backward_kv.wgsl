// Gradient of attention with respect to keys and values.
//
// dk = scale · Σ_i p_i (dout_i · v − delta_i) q_i, dv = Σ_i p_i dout_i, into the k and v parts of
// dqkv [B, N, 3·D]; lse and delta as attention and attention_backward_q left them.
// Launch: grid(B · heads · N, 64), one key per invocation.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;

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

fn dout4(row: u32, head: u32, c: u32) -> vec4f {
  let at = row * params.dim + head * params.head_dim + 4u * c;
  if (VEC) { return dout[at >> 2u]; }
  let left = params.head_dim - 4u * c;
  return vec4f(
    dout[at >> 2u][at & 3u],
    select(0.0, dout[(at + 1u) >> 2u][(at + 1u) & 3u], left > 1u),
    select(0.0, dout[(at + 2u) >> 2u][(at + 2u) & 3u], left > 2u),
    select(0.0, dout[(at + 3u) >> 2u][(at + 3u) & 3u], left > 3u),
  );
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (wg.y * num.x + wg.x) * 64u + local;
  if (index >= params.n) { return; }
  let head = index / params.tokens % params.heads;
  let first = index / (params.tokens * params.heads) * params.tokens;
  let row = first + index % params.tokens;
  var k: array<vec4f, 32>;
  var v: array<vec4f, 32>;
  var dk: array<vec4f, 32>;
  var dv: array<vec4f, 32>;
  for (var c = 0u; c < BLOCKS; c++) {
    k[c] = qkv4(row, 1u, head, c);
    v[c] = qkv4(row, 2u, head, c);
  }
  let queries = index - index % params.tokens;
  for (var i = 0u; i < params.tokens; i++) {
    var score = 0.0;
    var dp = 0.0;
    for (var c = 0u; c < BLOCKS; c++) {
      score += dot(k[c], qkv4(first + i, 0u, head, c));
      dp += dot(v[c], dout4(first + i, head, c));
    }
    let p = exp(params.scale * (score - lse[queries + i]));
    let ds = p * (dp - delta[queries + i]) * params.scale;
    for (var c = 0u; c < BLOCKS; c++) {
      dk[c] += ds * qkv4(first + i, 0u, head, c);
      dv[c] += p * dout4(first + i, head, c);
    }
  }
  let at = row * 3u * params.dim + params.dim + head * params.head_dim;
  for (var c = 0u; c < BLOCKS; c++) {
    let key = dk[c];
    let value = dv[c];
    for (var i = 0u; i < min(4u, params.head_dim - 4u * c); i++) {
      dqkv[at + 4u * c + i] = key[i];
      dqkv[at + params.dim + 4u * c + i] = value[i];
    }
  }
}
