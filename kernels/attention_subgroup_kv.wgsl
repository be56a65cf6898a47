// Gradient of attention with respect to keys and values where lanes can broadcast: as
// attention_backward_kv.wgsl.
//
// Q keys and values per lane, in registers. One query after the other is loaded once for all, with the gradient of
// its output, two vec4s by each lane, and broadcast: software adapters are bound by loads. They are slow at arrays
// that are indexed dynamically and do not unroll long loops, so none runs over the arrays here. Four vec4s at a time
// enter and leave the arrays, which move on by four: less code to compile.
// head_dim: a multiple of 4. Subgroups: at least 8 lanes.
// n: B · heads · ceil(N / 8 Q), the workgroups. Launch: grid(n, 1), 8 Q keys of a head per workgroup.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;

// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
// BLOCKS rounded up to a multiple of 4: the part of the arrays below that is in use.
override END: u32 = 4u;
// Keys per lane, 1 to 3: numbers 0 to 2 of the arrays, x to z of the vectors.
override Q: u32 = 1u;

var<private> k0: array<vec4f, 32>;
var<private> k1: array<vec4f, 32>;
var<private> k2: array<vec4f, 32>;
var<private> v0: array<vec4f, 32>;
var<private> v1: array<vec4f, 32>;
var<private> v2: array<vec4f, 32>;
var<private> dk0: array<vec4f, 32>;
var<private> dk1: array<vec4f, 32>;
var<private> dk2: array<vec4f, 32>;
var<private> dv0: array<vec4f, 32>;
var<private> dv1: array<vec4f, 32>;
var<private> dv2: array<vec4f, 32>;
var<private> score: vec3f;
var<private> dp: vec3f;
var<private> ds: vec3f;
var<private> p: vec3f;

fn add_score(c: u32, x: vec4f) {
  if (c < BLOCKS) {
    score.x += dot(k0[c], x);
    if (Q > 1u) { score.y += dot(k1[c], x); }
    if (Q > 2u) { score.z += dot(k2[c], x); }
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
    dp.x += dot(v0[c], x);
    if (Q > 1u) { dp.y += dot(v1[c], x); }
    if (Q > 2u) { dp.z += dot(v2[c], x); }
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

fn add_dk(c: u32, x: vec4f) {
  if (c < BLOCKS) {
    dk0[c] += ds.x * x;
    if (Q > 1u) { dk1[c] += ds.y * x; }
    if (Q > 2u) { dk2[c] += ds.z * x; }
  }
}

fn add_dk_pair(c: u32, a: vec4f, b: vec4f) {
  add_dk(c, a);
  add_dk(c + 1u, b);
}

// Vec4s c to c + 15 of one row, of which each lane has loaded two.
fn add_dks(c: u32, a: vec4f, b: vec4f) {
  add_dk_pair(c, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  add_dk_pair(c + 2u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  add_dk_pair(c + 4u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  add_dk_pair(c + 6u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  add_dk_pair(c + 8u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
  add_dk_pair(c + 10u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
  add_dk_pair(c + 12u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
  add_dk_pair(c + 14u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
}

fn add_dv(c: u32, x: vec4f) {
  if (c < BLOCKS) {
    dv0[c] += p.x * x;
    if (Q > 1u) { dv1[c] += p.y * x; }
    if (Q > 2u) { dv2[c] += p.z * x; }
  }
}

fn add_dv_pair(c: u32, a: vec4f, b: vec4f) {
  add_dv(c, a);
  add_dv(c + 1u, b);
}

// Vec4s c to c + 15 of one row, of which each lane has loaded two.
fn add_dvs(c: u32, a: vec4f, b: vec4f) {
  add_dv_pair(c, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  add_dv_pair(c + 2u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  add_dv_pair(c + 4u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  add_dv_pair(c + 6u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  add_dv_pair(c + 8u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
  add_dv_pair(c + 10u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
  add_dv_pair(c + 12u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
  add_dv_pair(c + 14u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
}

fn shift_inputs_one(c: u32) {
  if (c + 4u < END) {
    k0[c] = k0[c + 4u];
    v0[c] = v0[c + 4u];
    if (Q > 1u) {
      k1[c] = k1[c + 4u];
      v1[c] = v1[c + 4u];
    }
    if (Q > 2u) {
      k2[c] = k2[c + 4u];
      v2[c] = v2[c + 4u];
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

// Vec4 c + i of the keys and values, whose rows begin at `at` and `to`.
fn load(at: vec3u, to: vec3u, c: u32, i: u32) {
  let e = END - 4u + i;
  k0[e] = qkv[at.x + c + i];
  v0[e] = qkv[to.x + c + i];
  if (Q > 1u) {
    k1[e] = qkv[at.y + c + i];
    v1[e] = qkv[to.y + c + i];
  }
  if (Q > 2u) {
    k2[e] = qkv[at.z + c + i];
    v2[e] = qkv[to.z + c + i];
  }
}

fn shift_gradients_one(c: u32) {
  if (c + 4u < END) {
    dk0[c] = dk0[c + 4u];
    dv0[c] = dv0[c + 4u];
    if (Q > 1u) {
      dk1[c] = dk1[c + 4u];
      dv1[c] = dv1[c + 4u];
    }
    if (Q > 2u) {
      dk2[c] = dk2[c + 4u];
      dv2[c] = dv2[c + 4u];
    }
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

// Vec4 c + i of the gradients, whose rows begin at `at` and `to`.
fn store(at: vec3u, to: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let ok = valid & vec3<bool>(c + i < BLOCKS);
  if (ok.x) {
    dqkv[at.x + c + i] = dk0[i];
    dqkv[to.x + c + i] = dv0[i];
  }
  if (Q > 1u) {
    if (ok.y) {
      dqkv[at.y + c + i] = dk1[i];
      dqkv[to.y + c + i] = dv1[i];
    }
  }
  if (Q > 2u) {
    if (ok.z) {
      dqkv[at.z + c + i] = dk2[i];
      dqkv[to.z + c + i] = dv2[i];
    }
  }
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
  // Lanes without a key compute one again and store nothing: all must reach the broadcasts.
  let token = vec3u(0u, 8u, 16u) + index % tiles * 8u * Q + lane;
  let valid = (token < vec3u(params.tokens)) & vec3<bool>(index < params.n);
  let row = first + min(token, vec3u(params.tokens - 1u));
  let at = row * width + (params.dim + head) / 4u;
  let to = at + params.dim / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    shift_inputs();
    load(at, to, c, 0u);
    load(at, to, c, 1u);
    load(at, to, c, 2u);
    load(at, to, c, 3u);
  }
  var query = first * width + head / 4u;
  var grad = (first * params.dim + head) / 4u;
  for (var i = sample * params.tokens; i < (sample + 1u) * params.tokens; i++) {
    let q0 = qkv[query + own.x];
    let q1 = qkv[query + own.y];
    let g0 = dout[grad + own.x];
    let g1 = dout[grad + own.y];
    var q2 = vec4f();
    var q3 = vec4f();
    var g2 = vec4f();
    var g3 = vec4f();
    score = vec3f();
    dp = vec3f();
    add_scores(0u, q0, q1);
    add_dps(0u, g0, g1);
    if (BLOCKS > 16u) {
      q2 = qkv[query + own.z];
      q3 = qkv[query + own.w];
      g2 = dout[grad + own.z];
      g3 = dout[grad + own.w];
      add_scores(16u, q2, q3);
      add_dps(16u, g2, g3);
    }
    p = exp(params.scale * (score - lse[i]));
    ds = p * (dp - delta[i]) * params.scale;
    add_dks(0u, q0, q1);
    add_dvs(0u, g0, g1);
    if (BLOCKS > 16u) {
      add_dks(16u, q2, q3);
      add_dvs(16u, g2, g3);
    }
    query += width;
    grad += params.dim / 4u;
  }
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    store(at, to, valid, c, 0u);
    store(at, to, valid, c, 1u);
    store(at, to, valid, c, 2u);
    store(at, to, valid, c, 3u);
    shift_gradients();
  }
}
