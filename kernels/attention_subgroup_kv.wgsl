// Gradient of attention with respect to keys and values where lanes can broadcast: as
// attention_backward_kv.wgsl.
//
// Queries are loaded once for all lanes with the gradients of their outputs, one by one or in pairs; each lane holds Q
// keys and values.
// Launch: grid(n, 1), LANES invocations in one subgroup and LANES · Q keys of a head per workgroup.

@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;

// Vec4 c + i of the keys and values, whose rows begin at `at` and `to`; a lane has no part in a load that it
// has no use for.
fn load(at: vec3u, to: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let e = END - 4u + i;
  if (valid.x) {
    k0[e] = vec4f(qkv[at.x + c + i]);
    v0[e] = vec4f(qkv[to.x + c + i]);
  }
  if (Q > 1u) {
    if (valid.y) {
      k1[e] = vec4f(qkv[at.y + c + i]);
      v1[e] = vec4f(qkv[to.y + c + i]);
    }
  }
  if (Q > 2u) {
    if (valid.z) {
      k2[e] = vec4f(qkv[at.z + c + i]);
      v2[e] = vec4f(qkv[to.z + c + i]);
    }
  }
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

// As `take`, of the gradients.
fn take_grads(at: u32, mine: vec4u) -> mat4x4f {
  var x = mat4x4f();
  x[0] = dout[at + mine.x];
  if (loads(2u)) { x[1] = dout[at + mine.y]; }
  if (loads(3u)) { x[2] = dout[at + mine.z]; }
  if (loads(4u)) { x[3] = dout[at + mine.w]; }
  return x;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let here = place(wg.y * num.x + wg.x, lane, LANES);
  let width = 3u * params.dim / 4u;
  let mine = own(lane);
  let at = here.row * width + (params.dim + here.head) / 4u;
  let to = at + params.dim / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    shift(INPUT);
    load(at, to, here.valid, c, 0u);
    load(at, to, here.valid, c, 1u);
    load(at, to, here.valid, c, 2u);
    load(at, to, here.valid, c, 3u);
  }
  for (var j = 0u; j < params.tokens; j += select(1u, 2u, TWO)) {
    let i = own_row(j, lane);
    let queries = take((here.first + i) * width + here.head / 4u, mine);
    let grads = take_grads(((here.first + i) * params.dim + here.head) / 4u, mine);
    score = vec3f();
    score2 = vec3f();
    dp = vec3f();
    dp2 = vec3f();
    walk(SCORE, queries);
    walk(DP, grads);
    let log_sum = lse[here.sample * params.tokens + i];
    let total = delta[here.sample * params.tokens + i];
    weigh(
      vec2f(subgroupBroadcast(log_sum, 0u), subgroupBroadcast(log_sum, 1u)),
      vec2f(subgroupBroadcast(total, 0u), subgroupBroadcast(total, 1u)),
      j + 1u < params.tokens,
    );
    walk(SUM, queries);
    walk(SECOND_SUM, grads);
  }
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    store(at, to, here.valid, c, 0u);
    store(at, to, here.valid, c, 1u);
    store(at, to, here.valid, c, 2u);
    store(at, to, here.valid, c, 3u);
    shift(OUTPUT);
  }
}
