// Gradient of attention with respect to the queries where lanes can broadcast: as attention_backward_q.wgsl.
//
// Q queries per lane, in registers. One key and value after the other is loaded once for all, two vec4s by each
// lane, and broadcast: software adapters are bound by loads. They are slow at arrays that are indexed dynamically and
// do not unroll long loops, so none runs over the arrays here. Four vec4s at a time enter and leave the arrays, which
// move on by four: less code to compile.
// head_dim: a multiple of 4. Subgroups: at least 8 lanes.
// n: B · heads · ceil(N / 8 Q), the workgroups. Launch: grid(n, 1), 8 Q queries of a head per workgroup.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> out: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<vec4f>;

// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
// BLOCKS rounded up to a multiple of 4: the part of the arrays below that is in use.
override END: u32 = 4u;
// Queries per lane, 1 to 3: numbers 0 to 2 of the arrays, x to z of the vectors.
override Q: u32 = 1u;

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

fn add_score(c: u32, x: vec4f) {
  if (c < BLOCKS) {
    score.x += dot(q0[c], x);
    if (Q > 1u) { score.y += dot(q1[c], x); }
    if (Q > 2u) { score.z += dot(q2[c], x); }
  }
}

fn add_score_pair(c: u32, a: vec4f, b: vec4f) {
  add_score(c, a);
  add_score(c + 1u, b);
}

// Vec4s c to c + 15 of one row, of which each lane has loaded two.
fn add_scores(c: u32, a: vec4f, b: vec4f) {
  add_score_pair(c, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  add_score_pair(c + 2u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  add_score_pair(c + 4u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  add_score_pair(c + 6u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  add_score_pair(c + 8u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
  add_score_pair(c + 10u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
  add_score_pair(c + 12u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
  add_score_pair(c + 14u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
}

fn add_dp(c: u32, x: vec4f) {
  if (c < BLOCKS) {
    dp.x += dot(g0[c], x);
    if (Q > 1u) { dp.y += dot(g1[c], x); }
    if (Q > 2u) { dp.z += dot(g2[c], x); }
  }
}

fn add_dp_pair(c: u32, a: vec4f, b: vec4f) {
  add_dp(c, a);
  add_dp(c + 1u, b);
}

// Vec4s c to c + 15 of one row, of which each lane has loaded two.
fn add_dps(c: u32, a: vec4f, b: vec4f) {
  add_dp_pair(c, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  add_dp_pair(c + 2u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  add_dp_pair(c + 4u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  add_dp_pair(c + 6u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  add_dp_pair(c + 8u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
  add_dp_pair(c + 10u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
  add_dp_pair(c + 12u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
  add_dp_pair(c + 14u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
}

fn add_dq(c: u32, x: vec4f) {
  if (c < BLOCKS) {
    dq0[c] += ds.x * x;
    if (Q > 1u) { dq1[c] += ds.y * x; }
    if (Q > 2u) { dq2[c] += ds.z * x; }
  }
}

fn add_dq_pair(c: u32, a: vec4f, b: vec4f) {
  add_dq(c, a);
  add_dq(c + 1u, b);
}

// Vec4s c to c + 15 of one row, of which each lane has loaded two.
fn add_dqs(c: u32, a: vec4f, b: vec4f) {
  add_dq_pair(c, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  add_dq_pair(c + 2u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  add_dq_pair(c + 4u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  add_dq_pair(c + 6u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  add_dq_pair(c + 8u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
  add_dq_pair(c + 10u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
  add_dq_pair(c + 12u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
  add_dq_pair(c + 14u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
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
  q0[e] = qkv[at.x + c + i];
  g0[e] = dout[to.x + c + i];
  total.x += select(0.0, dot(g0[e], out[to.x + c + i]), c + i < BLOCKS);
  if (Q > 1u) {
    q1[e] = qkv[at.y + c + i];
    g1[e] = dout[to.y + c + i];
    total.y += select(0.0, dot(g1[e], out[to.y + c + i]), c + i < BLOCKS);
  }
  if (Q > 2u) {
    q2[e] = qkv[at.z + c + i];
    g2[e] = dout[to.z + c + i];
    total.z += select(0.0, dot(g2[e], out[to.z + c + i]), c + i < BLOCKS);
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
  if (ok.x) { dqkv[at.x + c + i] = dq0[i]; }
  if (Q > 1u) { if (ok.y) { dqkv[at.y + c + i] = dq1[i]; } }
  if (Q > 2u) { if (ok.z) { dqkv[at.z + c + i] = dq2[i]; } }
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let index = wg.y * num.x + wg.x;
  let tiles = (params.tokens + 8u * Q - 1u) / (8u * Q);
  let sample = index / tiles;
  let head = sample % params.heads * params.head_dim;
  let first = sample / params.heads * params.tokens;
  let width = 3u * params.dim / 4u;
  // What this lane loads for all: two vec4s, and two more of wide heads.
  let own = min(2u * lane + vec4u(0u, 1u, 16u, 17u), vec4u(BLOCKS - 1u));
  // Lanes without a query compute one again and store nothing: all must reach the broadcasts.
  let token = vec3u(0u, 8u, 16u) + index % tiles * 8u * Q + lane;
  let valid = (token < vec3u(params.tokens)) & vec3<bool>(index < params.n);
  let row = first + min(token, vec3u(params.tokens - 1u));
  let at = row * width + head / 4u;
  let to = (row * params.dim + head) / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
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
  var key = first * width + (params.dim + head) / 4u;
  for (var j = 0u; j < params.tokens; j++) {
    let value = key + params.dim / 4u;
    let k0 = qkv[key + own.x];
    let k1 = qkv[key + own.y];
    var k2 = vec4f();
    var k3 = vec4f();
    score = vec3f();
    dp = vec3f();
    add_scores(0u, k0, k1);
    add_dps(0u, qkv[value + own.x], qkv[value + own.y]);
    if (BLOCKS > 16u) {
      k2 = qkv[key + own.z];
      k3 = qkv[key + own.w];
      add_scores(16u, k2, k3);
      add_dps(16u, qkv[value + own.z], qkv[value + own.w]);
    }
    ds = exp(params.scale * (score - logs)) * (dp - total) * params.scale;
    add_dqs(0u, k0, k1);
    if (BLOCKS > 16u) { add_dqs(16u, k2, k3); }
    key += width;
  }
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    store(at, valid, c, 0u);
    store(at, valid, c, 1u);
    store(at, valid, c, 2u);
    store(at, valid, c, 3u);
    shift_gradients();
  }
}
