// Gradient of attention with respect to the queries.
//
// With p = exp(scale · (scores − lse)) and delta = Σ dout · out per query (also stored, [B, heads, N], for the
// gradient of keys and values): dq = scale · Σ_j p_j (dout · v_j − delta) k_j, into the q part of
// dqkv [B, N, 3·D] (Dao et al. 2022, arXiv:2205.14135, appendix B.2).
// VEC, STAGED, n. Launch: as in attention.wgsl.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> out: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<f32>;

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

fn out4(row: u32, head: u32, c: u32) -> vec4f {
  let at = row * params.dim + head * params.head_dim + 4u * c;
  if (VEC) { return out[at >> 2u]; }
  let left = params.head_dim - 4u * c;
  return vec4f(
    out[at >> 2u][at & 3u],
    select(0.0, out[(at + 1u) >> 2u][(at + 1u) & 3u], left > 1u),
    select(0.0, out[(at + 2u) >> 2u][(at + 2u) & 3u], left > 2u),
    select(0.0, out[(at + 3u) >> 2u][(at + 3u) & 3u], left > 3u),
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
  var g: array<vec4f, 32>;
  var dq: array<vec4f, 32>;
  var total = 0.0;
  for (var c = 0u; c < BLOCKS; c++) {
    q[c] = qkv4(row, 0u, head, c);
    g[c] = dout4(row, head, c);
    total += dot(g[c], out4(row, head, c));
  }
  if (valid) { delta[index] = total; }
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
      var dp = 0.0;
      for (var c = 0u; c < BLOCKS; c++) {
        score += dot(q[c], key4(first + base + j, j, head, c));
        dp += dot(g[c], value4(first + base + j, j, head, c));
      }
      let ds = exp(params.scale * (score - lse[index])) * (dp - total) * params.scale;
      for (var c = 0u; c < BLOCKS; c++) { dq[c] += ds * key4(first + base + j, j, head, c); }
    }
  }
  if (valid) {
    let at = row * 3u * params.dim + head * params.head_dim;
    for (var c = 0u; c < BLOCKS; c++) {
      let v = dq[c];
      for (var i = 0u; i < min(4u, params.head_dim - 4u * c); i++) { dqkv[at + 4u * c + i] = v[i]; }
    }
  }
}
