// Gradient of attention with respect to keys and values.
//
// dk = scale · Σ_i p_i (dout_i · v − delta_i) q_i, dv = Σ_i p_i dout_i, into the k and v parts of
// dqkv [B, N, 3·D]; lse and delta as attention and attention_backward_q left them.
// VEC and n: as in attention.wgsl, and why no loop runs over the arrays. STAGED: queries and dout go through
// workgroup memory.
// Launch: grid(n, 1), WIDTH · Q keys of a head per workgroup.

struct Params { n: u32, tokens: u32, heads: u32, dim: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;

override VEC: bool = false;
override STAGED: bool = false;
// Vec4s of a head, at most 32: head_dim <= 128.
override BLOCKS: u32 = 1u;
// BLOCKS rounded up to a multiple of 4: the part of the arrays below that is in use.
override END: u32 = 4u;
// Keys per invocation, 1 to 3: numbers 0 to 2 of the arrays, x to z of the vectors.
override Q: u32 = 1u;
override WIDTH: u32 = 8u;
// Queries in workgroup memory at once, TILE · BLOCKS <= 512.
override TILE: u32 = 1u;

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

var<workgroup> queries: array<vec4f, TILE * BLOCKS>;
var<workgroup> grads: array<vec4f, TILE * BLOCKS>;

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

fn query4(at: u32, staged: u32, c: u32) -> vec4f {
  if (STAGED) { return queries[staged + c]; }
  return qkv4(at, c);
}

fn grad4(at: u32, staged: u32, c: u32) -> vec4f {
  if (STAGED) { return grads[staged + c]; }
  return dout4(at, c);
}

fn add_score(at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    let x = query4(at, staged, c);
    score.x += dot(k0[c], x);
    if (Q > 1u) { score.y += dot(k1[c], x); }
    if (Q > 2u) { score.z += dot(k2[c], x); }
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
    let x = grad4(at, staged, c);
    dp.x += dot(v0[c], x);
    if (Q > 1u) { dp.y += dot(v1[c], x); }
    if (Q > 2u) { dp.z += dot(v2[c], x); }
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

fn add_dk(at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    let x = query4(at, staged, c);
    dk0[c] += ds.x * x;
    if (Q > 1u) { dk1[c] += ds.y * x; }
    if (Q > 2u) { dk2[c] += ds.z * x; }
  }
}

fn add_dk_four(at: u32, staged: u32, c: u32) {
  add_dk(at, staged, c);
  add_dk(at, staged, c + 1u);
  add_dk(at, staged, c + 2u);
  add_dk(at, staged, c + 3u);
}

fn add_dks(at: u32, staged: u32) {
  add_dk_four(at, staged, 0u);
  add_dk_four(at, staged, 4u);
  add_dk_four(at, staged, 8u);
  add_dk_four(at, staged, 12u);
  add_dk_four(at, staged, 16u);
  add_dk_four(at, staged, 20u);
  add_dk_four(at, staged, 24u);
  add_dk_four(at, staged, 28u);
}

fn add_dv(at: u32, staged: u32, c: u32) {
  if (c < BLOCKS) {
    let x = grad4(at, staged, c);
    dv0[c] += p.x * x;
    if (Q > 1u) { dv1[c] += p.y * x; }
    if (Q > 2u) { dv2[c] += p.z * x; }
  }
}

fn add_dv_four(at: u32, staged: u32, c: u32) {
  add_dv(at, staged, c);
  add_dv(at, staged, c + 1u);
  add_dv(at, staged, c + 2u);
  add_dv(at, staged, c + 3u);
}

fn add_dvs(at: u32, staged: u32) {
  add_dv_four(at, staged, 0u);
  add_dv_four(at, staged, 4u);
  add_dv_four(at, staged, 8u);
  add_dv_four(at, staged, 12u);
  add_dv_four(at, staged, 16u);
  add_dv_four(at, staged, 20u);
  add_dv_four(at, staged, 24u);
  add_dv_four(at, staged, 28u);
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
  k0[e] = qkv4(at.x, c + i);
  v0[e] = qkv4(to.x, c + i);
  if (Q > 1u) {
    k1[e] = qkv4(at.y, c + i);
    v1[e] = qkv4(to.y, c + i);
  }
  if (Q > 2u) {
    k2[e] = qkv4(at.z, c + i);
    v2[e] = qkv4(to.z, c + i);
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
    put(at.x, c + i, dk0[i]);
    put(to.x, c + i, dv0[i]);
  }
  if (Q > 1u) {
    if (ok.y) {
      put(at.y, c + i, dk1[i]);
      put(to.y, c + i, dv1[i]);
    }
  }
  if (Q > 2u) {
    if (ok.z) {
      put(at.z, c + i, dk2[i]);
      put(to.z, c + i, dv2[i]);
    }
  }
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = wg.y * num.x + wg.x;
  let tiles = (params.tokens + WIDTH * Q - 1u) / (WIDTH * Q);
  let sample = index / tiles;
  let head = sample % params.heads * params.head_dim;
  let first = sample / params.heads * params.tokens;
  let width = 3u * params.dim;
  // Invocations without a key compute one again and store nothing: all must reach the barriers.
  let token = vec3u(0u, WIDTH, 2u * WIDTH) + index % tiles * WIDTH * Q + local;
  let valid = (token < vec3u(params.tokens)) & vec3<bool>(index < params.n);
  let row = first + min(token, vec3u(params.tokens - 1u));
  let at = row * width + params.dim + head;
  let to = at + params.dim;
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    shift_inputs();
    load(at, to, c, 0u);
    load(at, to, c, 1u);
    load(at, to, c, 2u);
    load(at, to, c, 3u);
  }
  var query = first * width + head;
  var grad = first * params.dim + head;
  let tile = select(params.tokens, TILE, STAGED);
  for (var base = 0u; base < params.tokens; base += tile) {
    let count = min(tile, params.tokens - base);
    if (STAGED) {
      workgroupBarrier();
      for (var i = local; i < count * BLOCKS; i += WIDTH) {
        queries[i] = qkv4(query + i / BLOCKS * width, i % BLOCKS);
        grads[i] = dout4(grad + i / BLOCKS * params.dim, i % BLOCKS);
      }
      workgroupBarrier();
    }
    for (var j = 0u; j < count; j++) {
      let i = sample * params.tokens + base + j;
      score = vec3f();
      dp = vec3f();
      add_scores(query, j * BLOCKS);
      add_dps(grad, j * BLOCKS);
      p = exp(params.scale * (score - lse[i]));
      ds = p * (dp - delta[i]) * params.scale;
      add_dks(query, j * BLOCKS);
      add_dvs(grad, j * BLOCKS);
      query += width;
      grad += params.dim;
    }
  }
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    store(at, to, valid, c, 0u);
    store(at, to, valid, c, 1u);
    store(at, to, valid, c, 2u);
    store(at, to, valid, c, 3u);
    shift_gradients();
  }
}
