// Multi-head self-attention where lanes can broadcast: as attention.wgsl, with the same scores.
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
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
// BLOCKS rounded up to a multiple of 4: the part of the arrays below that is in use.
override END: u32 = 4u;
// Queries per lane, 1 to 3: numbers 0 to 2 of the arrays, x to z of the vectors.
override Q: u32 = 1u;

var<private> q0: array<vec4f, 32>;
var<private> q1: array<vec4f, 32>;
var<private> q2: array<vec4f, 32>;
var<private> sum0: array<vec4f, 32>;
var<private> sum1: array<vec4f, 32>;
var<private> sum2: array<vec4f, 32>;
var<private> score: vec3f;
var<private> shrink: vec3f;
var<private> p: vec3f;
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

fn add_value(c: u32, x: vec4f) {
  if (c < BLOCKS) {
    sum0[c] = sum0[c] * shrink.x + p.x * x;
    if (Q > 1u) { sum1[c] = sum1[c] * shrink.y + p.y * x; }
    if (Q > 2u) { sum2[c] = sum2[c] * shrink.z + p.z * x; }
  }
}

fn add_value_pair(c: u32, a: vec4f, b: vec4f) {
  add_value(c, a);
  add_value(c + 1u, b);
}

// Vec4s c to c + 15 of one row, of which each lane has loaded two.
fn add_values(c: u32, a: vec4f, b: vec4f) {
  add_value_pair(c, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  add_value_pair(c + 2u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  add_value_pair(c + 4u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  add_value_pair(c + 6u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  add_value_pair(c + 8u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
  add_value_pair(c + 10u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
  add_value_pair(c + 12u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
  add_value_pair(c + 14u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
}

fn shift_queries_one(c: u32) {
  if (c + 4u < END) {
    q0[c] = q0[c + 4u];
    if (Q > 1u) { q1[c] = q1[c + 4u]; }
    if (Q > 2u) { q2[c] = q2[c + 4u]; }
  }
}

fn shift_queries_four(c: u32) {
  shift_queries_one(c);
  shift_queries_one(c + 1u);
  shift_queries_one(c + 2u);
  shift_queries_one(c + 3u);
}

// Makes room for four vec4s at the end.
fn shift_queries() {
  shift_queries_four(0u);
  shift_queries_four(4u);
  shift_queries_four(8u);
  shift_queries_four(12u);
  shift_queries_four(16u);
  shift_queries_four(20u);
  shift_queries_four(24u);
}

// Vec4 c + i of the queries, whose rows begin at `at`.
fn load(at: vec3u, c: u32, i: u32) {
  q0[END - 4u + i] = qkv[at.x + c + i];
  if (Q > 1u) { q1[END - 4u + i] = qkv[at.y + c + i]; }
  if (Q > 2u) { q2[END - 4u + i] = qkv[at.z + c + i]; }
}

fn shift_sums_one(c: u32) {
  if (c + 4u < END) {
    sum0[c] = sum0[c + 4u];
    if (Q > 1u) { sum1[c] = sum1[c + 4u]; }
    if (Q > 2u) { sum2[c] = sum2[c + 4u]; }
  }
}

fn shift_sums_four(c: u32) {
  shift_sums_one(c);
  shift_sums_one(c + 1u);
  shift_sums_one(c + 2u);
  shift_sums_one(c + 3u);
}

// Moves what is not yet stored to the front.
fn shift_sums() {
  shift_sums_four(0u);
  shift_sums_four(4u);
  shift_sums_four(8u);
  shift_sums_four(12u);
  shift_sums_four(16u);
  shift_sums_four(20u);
  shift_sums_four(24u);
}

// Vec4 c + i of the outputs, whose rows begin at `at`.
fn store(at: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let ok = valid & vec3<bool>(c + i < BLOCKS);
  if (ok.x) { out[at.x + c + i] = sum0[i] / total.x; }
  if (Q > 1u) { if (ok.y) { out[at.y + c + i] = sum1[i] / total.y; } }
  if (Q > 2u) { if (ok.z) { out[at.z + c + i] = sum2[i] / total.z; } }
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
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    shift_queries();
    load(at, c, 0u);
    load(at, c, 1u);
    load(at, c, 2u);
    load(at, c, 3u);
  }
  var top = vec3f(-3.4028234e38);
  var key = first * width + (params.dim + head) / 4u;
  for (var j = 0u; j < params.tokens; j++) {
    score = vec3f();
    add_scores(0u, qkv[key + own.x], qkv[key + own.y]);
    if (BLOCKS > 16u) { add_scores(16u, qkv[key + own.z], qkv[key + own.w]); }
    let new_top = max(top, score);
    shrink = exp(params.scale * (top - new_top));
    p = exp(params.scale * (score - new_top));
    top = new_top;
    total = total * shrink + p;
    let value = key + params.dim / 4u;
    add_values(0u, qkv[value + own.x], qkv[value + own.y]);
    if (BLOCKS > 16u) { add_values(16u, qkv[value + own.z], qkv[value + own.w]); }
    key += width;
  }
  let to = (row * params.dim + head) / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    store(to, valid, c, 0u);
    store(to, valid, c, 1u);
    store(to, valid, c, 2u);
    store(to, valid, c, 3u);
    shift_sums();
  }
  let query = sample * params.tokens + token;
  let logs = top + log(total) / params.scale;
  if (valid.x) { lse[query.x] = logs.x; }
  if (Q > 1u) { if (valid.y) { lse[query.y] = logs.y; } }
  if (Q > 2u) { if (valid.z) { lse[query.z] = logs.z; } }
}
