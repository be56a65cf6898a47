// Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) without the N × N matrix.
//
// qkv [B, N, 3·D], laid out [q | k | v], each [head][head_dim] → out [B, N, D] = softmax(q kᵀ · scale) v,
// lse [B, heads, N] = log Σ exp(scale · scores) / scale, for the backward pass: its probabilities are
// exp(scale · (score − lse)), and scaling last keeps the scores the same to the last bit in every kernel,
// for a difference would be magnified by exp. The softmax runs online (Milakov and Gimelshein 2018,
// arXiv:1805.02867).
// VEC: head_dim is a multiple of 4.
// STAGED: keys and values go through workgroup memory, for adapters where that is fast.
// Arrays stay in registers only if nothing indexes them dynamically, and compilers of software adapters do not unroll
// long loops: none runs over the arrays here. Four vec4s at a time enter and leave them, which move on by four: less
// code to compile.
// n: B · heads · ceil(N / (WIDTH · Q)), the workgroups. Launch: grid(n, 1), WIDTH · Q queries of a head per workgroup.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

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
var<private> sum0: array<vec4f, 32>;
var<private> sum1: array<vec4f, 32>;
var<private> sum2: array<vec4f, 32>;
var<private> score: vec3f;
var<private> shrink: vec3f;
var<private> p: vec3f;
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

fn put(at: u32, c: u32, x: vec4f) {
  let left = params.head_dim - 4u * c;
  let i = at + 4u * c;
  out[i] = x.x;
  if (VEC || left > 1u) { out[i + 1u] = x.y; }
  if (VEC || left > 2u) { out[i + 2u] = x.z; }
  if (VEC || left > 3u) { out[i + 3u] = x.w; }
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

fn add_value(at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    let x = value4(at, staged, c);
    sum0[c] = sum0[c] * shrink.x + p.x * x;
    if (Q > 1u) { sum1[c] = sum1[c] * shrink.y + p.y * x; }
    if (Q > 2u) { sum2[c] = sum2[c] * shrink.z + p.z * x; }
  }
}

fn add_value_four(at: u32, staged: u32, c: u32) {
  add_value(at, staged, c);
  add_value(at, staged, c + 1u);
  add_value(at, staged, c + 2u);
  add_value(at, staged, c + 3u);
}

fn add_values(at: u32, staged: u32) {
  add_value_four(at, staged, 0u);
  add_value_four(at, staged, 4u);
  add_value_four(at, staged, 8u);
  add_value_four(at, staged, 12u);
  add_value_four(at, staged, 16u);
  add_value_four(at, staged, 20u);
  add_value_four(at, staged, 24u);
  add_value_four(at, staged, 28u);
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
  q0[END - 4u + i] = qkv4(at.x, c + i);
  if (Q > 1u) { q1[END - 4u + i] = qkv4(at.y, c + i); }
  if (Q > 2u) { q2[END - 4u + i] = qkv4(at.z, c + i); }
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
  if (ok.x) { put(at.x, c + i, sum0[i] / total.x); }
  if (Q > 1u) { if (ok.y) { put(at.y, c + i, sum1[i] / total.y); } }
  if (Q > 2u) { if (ok.z) { put(at.z, c + i, sum2[i] / total.z); } }
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
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    shift_queries();
    load(at, c, 0u);
    load(at, c, 1u);
    load(at, c, 2u);
    load(at, c, 3u);
  }
  var top = vec3f(-3.4028234e38);
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
      add_scores(key, j * BLOCKS);
      let new_top = max(top, score);
      shrink = exp(params.scale * (top - new_top));
      p = exp(params.scale * (score - new_top));
      top = new_top;
      total = total * shrink + p;
      add_values(key + params.dim, j * BLOCKS);
      key += width;
    }
  }
  let to = row * params.dim + head;
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
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
