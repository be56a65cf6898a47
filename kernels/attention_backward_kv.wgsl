// Gradient of attention with respect to keys and values.
//
// dk = scale · Σ_i p_i (dout_i · v − delta_i) q_i, dv = Σ_i p_i dout_i, into the k and v parts of
// dqkv [B, N, 3·D]; lse and delta as attention and attention_backward_q left them.
// VEC, STAGED, n. Launch: as in attention.wgsl, one key per invocation; queries and dout are staged.

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
override WIDTH: u32 = 64u;
override STAGED: bool = false;
// Queries in workgroup memory at once, TILE · BLOCKS <= 512.
override TILE: u32 = 1u;

var<workgroup> queries: array<vec4f, TILE * BLOCKS>;
var<workgroup> grads: array<vec4f, TILE * BLOCKS>;

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

fn query4(row: u32, staged: u32, head: u32, c: u32) -> vec4f {
  if (STAGED) { return queries[staged * BLOCKS + c]; }
  return qkv4(row, 0u, head, c);
}

fn grad4(row: u32, staged: u32, head: u32, c: u32) -> vec4f {
  if (STAGED) { return grads[staged * BLOCKS + c]; }
  return dout4(row, head, c);
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
  let head = sample % params.heads;
  let first = sample / params.heads * params.tokens;
  let row = first + token;
  var k: array<vec4f, 32>;
  var v: array<vec4f, 32>;
  var dk: array<vec4f, 32>;
  var dv: array<vec4f, 32>;
  for (var c = 0u; c < BLOCKS; c++) {
    k[c] = qkv4(row, 1u, head, c);
    v[c] = qkv4(row, 2u, head, c);
  }
  let tile = select(params.tokens, TILE, STAGED);
  for (var base = 0u; base < params.tokens; base += tile) {
    let count = min(tile, params.tokens - base);
    if (STAGED) {
      workgroupBarrier();
      for (var i = local; i < count * BLOCKS; i += WIDTH) {
        queries[i] = qkv4(first + base + i / BLOCKS, 0u, head, i % BLOCKS);
        grads[i] = dout4(first + base + i / BLOCKS, head, i % BLOCKS);
      }
      workgroupBarrier();
    }
    for (var j = 0u; j < count; j++) {
      let query = sample * params.tokens + base + j;
      var score = 0.0;
      var dp = 0.0;
      for (var c = 0u; c < BLOCKS; c++) {
        score += dot(k[c], query4(first + base + j, j, head, c));
        dp += dot(v[c], grad4(first + base + j, j, head, c));
      }
      let p = exp(params.scale * (score - lse[query]));
      let ds = p * (dp - delta[query]) * params.scale;
      for (var c = 0u; c < BLOCKS; c++) {
        dk[c] += ds * query4(first + base + j, j, head, c);
        dv[c] += p * grad4(first + base + j, j, head, c);
      }
    }
  }
  if (valid) {
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
}
