// Gradient of attention with respect to the queries.
//
// With p = exp(scale · (scores − lse)) and delta = Σ dout · out per query (also stored, [B, heads, N], for the
// gradient of keys and values): dq = scale · Σ_j p_j (dout · v_j − delta) k_j, into the q part of
// dqkv [B, N, 3·D] (Dao et al. 2022, arXiv:2205.14135, appendix B.2).
// VEC, STAGED and n: as in attention.wgsl, and why no loop runs over the arrays.
// Launch: grid(n, 1), WIDTH · Q queries of a head per workgroup.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> out: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<f32>;

override VEC: bool = false;
override STAGED: bool = false;
// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
// BLOCKS rounded up to a multiple of 4: the part of the arrays below that is in use.
override END: u32 = 4u;
// Queries per invocation, 1 to 3: numbers 0 to 2 of the arrays, x to z of the vectors.
override Q: u32 = 1u;
override WIDTH: u32 = 8u;
// Keys in workgroup memory at once, TILE · BLOCKS <= 512.
override TILE: u32 = 1u;

var<private> q0: array<vec4f, 32>;
var<private> q1: array<vec4f, 32>;
var<private> q2: array<vec4f, 32>;
var<private> g0: array<vec4f, 32>;
var<private> g1: array<vec4f, 32>;
var<private> g2: array<vec4f, 32>;
var<private> dq0: array<vec4f, 32>;
var<private> dq1: array<vec4f, 32>;
var<private> dq2: array<vec4f, 32>;
var<private> score: vec3f;
var<private> dp: vec3f;
var<private> ds: vec3f;
var<private> total: vec3f;

var<workgroup> keys: array<vec4f, TILE * BLOCKS>;
var<workgroup> values: array<vec4f, TILE * BLOCKS>;

// Vec4 c of the head that begins at element `at`, zero beyond the head.
fn qkv4(at: u32, c: u32) -> vec4f {
  if (VEC) { return qkv[(at >> 2u) + c]; }
  let i = at + 4u * c;
  let left = params.head_dim - 4u * c;
  return vec4f(
    qkv[i >> 2u][i & 3u],
    select(0.0, qkv[(i + 1u) >> 2u][(i + 1u) & 3u], left > 1u),
    select(0.0, qkv[(i + 2u) >> 2u][(i + 2u) & 3u], left > 2u),
    select(0.0, qkv[(i + 3u) >> 2u][(i + 3u) & 3u], left > 3u),
  );
}

// Vec4 c of the head that begins at element `at`, zero beyond the head.
fn out4(at: u32, c: u32) -> vec4f {
  if (VEC) { return out[(at >> 2u) + c]; }
  let i = at + 4u * c;
  let left = params.head_dim - 4u * c;
  return vec4f(
    out[i >> 2u][i & 3u],
    select(0.0, out[(i + 1u) >> 2u][(i + 1u) & 3u], left > 1u),
    select(0.0, out[(i + 2u) >> 2u][(i + 2u) & 3u], left > 2u),
    select(0.0, out[(i + 3u) >> 2u][(i + 3u) & 3u], left > 3u),
  );
}

// Vec4 c of the head that begins at element `at`, zero beyond the head.
fn dout4(at: u32, c: u32) -> vec4f {
  if (VEC) { return dout[(at >> 2u) + c]; }
  let i = at + 4u * c;
  let left = params.head_dim - 4u * c;
  return vec4f(
    dout[i >> 2u][i & 3u],
    select(0.0, dout[(i + 1u) >> 2u][(i + 1u) & 3u], left > 1u),
    select(0.0, dout[(i + 2u) >> 2u][(i + 2u) & 3u], left > 2u),
    select(0.0, dout[(i + 3u) >> 2u][(i + 3u) & 3u], left > 3u),
  );
}

fn put(at: u32, c: u32, x: vec4f) {
  let left = params.head_dim - 4u * c;
  let i = at + 4u * c;
  dqkv[i] = x.x;
  if (VEC || left > 1u) { dqkv[i + 1u] = x.y; }
  if (VEC || left > 2u) { dqkv[i + 2u] = x.z; }
  if (VEC || left > 3u) { dqkv[i + 3u] = x.w; }
}

fn key4(at: u32, staged: u32, c: u32) -> vec4f {
  if (STAGED) { return keys[staged + c]; }
  return qkv4(at, c);
}

fn value4(at: u32, staged: u32, c: u32) -> vec4f {
  if (STAGED) { return values[staged + c]; }
  return qkv4(at, c);
}

fn add_score(at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    let x = key4(at, staged, c);
    score.x += dot(q0[c], x);
    if (Q > 1u) { score.y += dot(q1[c], x); }
    if (Q > 2u) { score.z += dot(q2[c], x); }
  }
}

fn add_score_four(at: u32, staged: u32, c: u32) {
  add_score(at, staged, c);
  add_score(at, staged, c + 1u);
  add_score(at, staged, c + 2u);
  add_score(at, staged, c + 3u);
}

fn add_scores(at: u32, staged: u32) {
  add_score_four(at, staged, 0u);
  add_score_four(at, staged, 4u);
  add_score_four(at, staged, 8u);
  add_score_four(at, staged, 12u);
  add_score_four(at, staged, 16u);
  add_score_four(at, staged, 20u);
  add_score_four(at, staged, 24u);
  add_score_four(at, staged, 28u);
}

fn add_dp(at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    let x = value4(at, staged, c);
    dp.x += dot(g0[c], x);
    if (Q > 1u) { dp.y += dot(g1[c], x); }
    if (Q > 2u) { dp.z += dot(g2[c], x); }
  }
}

fn add_dp_four(at: u32, staged: u32, c: u32) {
  add_dp(at, staged, c);
  add_dp(at, staged, c + 1u);
  add_dp(at, staged, c + 2u);
  add_dp(at, staged, c + 3u);
}

fn add_dps(at: u32, staged: u32) {
  add_dp_four(at, staged, 0u);
  add_dp_four(at, staged, 4u);
  add_dp_four(at, staged, 8u);
  add_dp_four(at, staged, 12u);
  add_dp_four(at, staged, 16u);
  add_dp_four(at, staged, 20u);
  add_dp_four(at, staged, 24u);
  add_dp_four(at, staged, 28u);
}

fn add_dq(at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    let x = key4(at, staged, c);
    dq0[c] += ds.x * x;
    if (Q > 1u) { dq1[c] += ds.y * x; }
    if (Q > 2u) { dq2[c] += ds.z * x; }
  }
}

fn add_dq_four(at: u32, staged: u32, c: u32) {
  add_dq(at, staged, c);
  add_dq(at, staged, c + 1u);
  add_dq(at, staged, c + 2u);
  add_dq(at, staged, c + 3u);
}

fn add_dqs(at: u32, staged: u32) {
  add_dq_four(at, staged, 0u);
  add_dq_four(at, staged, 4u);
  add_dq_four(at, staged, 8u);
  add_dq_four(at, staged, 12u);
  add_dq_four(at, staged, 16u);
  add_dq_four(at, staged, 20u);
  add_dq_four(at, staged, 24u);
  add_dq_four(at, staged, 28u);
}

fn shift_inputs_one(c: u32) {
  if (c + 4u < END) {
    q0[c] = q0[c + 4u];
    g0[c] = g0[c + 4u];
    if (Q > 1u) {
      q1[c] = q1[c + 4u];
      g1[c] = g1[c + 4u];
    }
    if (Q > 2u) {
      q2[c] = q2[c + 4u];
      g2[c] = g2[c + 4u];
    }
  }
}

fn shift_inputs_four(c: u32) {
  shift_inputs_one(c);
  shift_inputs_one(c + 1u);
  shift_inputs_one(c + 2u);
  shift_inputs_one(c + 3u);
}

// Makes room for four vec4s at the end.
fn shift_inputs() {
  shift_inputs_four(0u);
  shift_inputs_four(4u);
  shift_inputs_four(8u);
  shift_inputs_four(12u);
  shift_inputs_four(16u);
  shift_inputs_four(20u);
  shift_inputs_four(24u);
}

// Vec4 c + i of the queries and of the gradients of their outputs, whose rows begin at `at` and `to`.
fn load(at: vec3u, to: vec3u, c: u32, i: u32) {
  let e = END - 4u + i;
  q0[e] = qkv4(at.x, c + i);
  g0[e] = dout4(to.x, c + i);
  total.x += select(0.0, dot(g0[e], out4(to.x, c + i)), c + i < BLOCKS);
  if (Q > 1u) {
    q1[e] = qkv4(at.y, c + i);
    g1[e] = dout4(to.y, c + i);
    total.y += select(0.0, dot(g1[e], out4(to.y, c + i)), c + i < BLOCKS);
  }
  if (Q > 2u) {
    q2[e] = qkv4(at.z, c + i);
    g2[e] = dout4(to.z, c + i);
    total.z += select(0.0, dot(g2[e], out4(to.z, c + i)), c + i < BLOCKS);
  }
}

fn shift_gradients_one(c: u32) {
  if (c + 4u < END) {
    dq0[c] = dq0[c + 4u];
    if (Q > 1u) { dq1[c] = dq1[c + 4u]; }
    if (Q > 2u) { dq2[c] = dq2[c + 4u]; }
  }
}

fn shift_gradients_four(c: u32) {
  shift_gradients_one(c);
  shift_gradients_one(c + 1u);
  shift_gradients_one(c + 2u);
  shift_gradients_one(c + 3u);
}

// Moves what is not yet stored to the front.
fn shift_gradients() {
  shift_gradients_four(0u);
  shift_gradients_four(4u);
  shift_gradients_four(8u);
  shift_gradients_four(12u);
  shift_gradients_four(16u);
  shift_gradients_four(20u);
  shift_gradients_four(24u);
}

// Vec4 c + i of the gradients, whose rows begin at `at`.
fn store(at: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let ok = valid & vec3<bool>(c + i < BLOCKS);
  if (ok.x) { put(at.x, c + i, dq0[i]); }
  if (Q > 1u) { if (ok.y) { put(at.y, c + i, dq1[i]); } }
  if (Q > 2u) { if (ok.z) { put(at.z, c + i, dq2[i]); } }
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = wg.y * num.x + wg.x;
  let tiles = (params.tokens + WIDTH * Q - 1u) / (WIDTH * Q);
  let sample = index / tiles;
  let head = sample % params.heads * params.head_dim;
  let first = sample / params.heads * params.tokens;
  let width = 3u * params.dim;
  // Invocations without a query compute one again and store nothing: all must reach the barriers.
  let token = vec3u(0u, WIDTH, 2u * WIDTH) + index % tiles * WIDTH * Q + local;
  let valid = (token < vec3u(params.tokens)) & vec3<bool>(index < params.n);
  let row = first + min(token, vec3u(params.tokens - 1u));
  let at = row * width + head;
  let to = row * params.dim + head;
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    shift_inputs();
    load(at, to, c, 0u);
    load(at, to, c, 1u);
    load(at, to, c, 2u);
    load(at, to, c, 3u);
  }
  let query = sample * params.tokens + token;
  let logs = vec3f(lse[query.x], lse[query.y], lse[query.z]);
  if (valid.x) { delta[query.x] = total.x; }
  if (Q > 1u) { if (valid.y) { delta[query.y] = total.y; } }
  if (Q > 2u) { if (valid.z) { delta[query.z] = total.z; } }
  var key = first * width + params.dim + head;
  let tile = select(params.tokens, TILE, STAGED);
  for (var base = 0u; base < params.tokens; base += tile) {
    let count = min(tile, params.tokens - base);
    if (STAGED) {
      workgroupBarrier();
      for (var i = local; i < count * BLOCKS; i += WIDTH) {
        keys[i] = qkv4(key + i / BLOCKS * width, i % BLOCKS);
        values[i] = qkv4(key + params.dim + i / BLOCKS * width, i % BLOCKS);
      }
      workgroupBarrier();
    }
    for (var j = 0u; j < count; j++) {
      score = vec3f();
      dp = vec3f();
      add_scores(key, j * BLOCKS);
      add_dps(key + params.dim, j * BLOCKS);
      ds = exp(params.scale * (score - logs)) * (dp - total) * params.scale;
      add_dqs(key, j * BLOCKS);
      key += width;
    }
  }
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    store(at, valid, c, 0u);
    store(at, valid, c, 1u);
    store(at, valid, c, 2u);
    store(at, valid, c, 3u);
    shift_gradients();
  }
}
