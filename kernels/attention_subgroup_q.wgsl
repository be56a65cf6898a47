// Gradient of attention with respect to the queries where lanes can broadcast: as attention_backward_q.wgsl.
//
// Keys and values are loaded once for all lanes, one by one or in pairs; lanes hold Q queries each.
// Launch: grid(n, 1), LANES invocations in one subgroup and LANES · Q queries of a head per workgroup.

@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> out: array<out_vec4>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<vec4f>;

// Vec4 c + i of the queries and of the gradients of their outputs, whose rows begin at `at` and `to`; a lane
// has no part in a load that it has no use for.
fn load(at: vec3u, to: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let e = END - 4u + i;
  if (valid.x) {
    q0[e] = vec4f(qkv[at.x + c + i]);
    g0[e] = dout[to.x + c + i];
    total.x += select(0.0, dot(g0[e], vec4f(out[to.x + c + i])), c + i < BLOCKS);
  }
  if (Q > 1u) {
    if (valid.y) {
      q1[e] = vec4f(qkv[at.y + c + i]);
      g1[e] = dout[to.y + c + i];
      total.y += select(0.0, dot(g1[e], vec4f(out[to.y + c + i])), c + i < BLOCKS);
    }
  }
  if (Q > 2u) {
    if (valid.z) {
      q2[e] = vec4f(qkv[at.z + c + i]);
      g2[e] = dout[to.z + c + i];
      total.z += select(0.0, dot(g2[e], vec4f(out[to.z + c + i])), c + i < BLOCKS);
    }
  }
}

// Vec4 c + i of the gradients, whose rows begin at `at`.
fn store(at: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let ok = valid & vec3<bool>(c + i < BLOCKS);
  if (ok.x) { dqkv[at.x + c + i] = dq0[i]; }
  if (Q > 1u) { if (ok.y) { dqkv[at.y + c + i] = dq1[i]; } }
  if (Q > 2u) { if (ok.z) { dqkv[at.z + c + i] = dq2[i]; } }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let here = place(wg.y * num.x + wg.x, lane, LANES);
  let width = 3u * params.dim / 4u;
  let mine = own(lane);
  let at = here.row * width + here.head / 4u;
  let to = (here.row * params.dim + here.head) / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    shift(INPUT);
    load(at, to, here.valid, c, 0u);
    load(at, to, here.valid, c, 1u);
    load(at, to, here.valid, c, 2u);
    load(at, to, here.valid, c, 3u);
  }
  store_delta(here);
  let logs = logs_of(here);
  for (var j = 0u; j < params.tokens; j += select(1u, 2u, TWO)) {
    let key = (here.first + own_row(j, lane)) * width + (params.dim + here.head) / 4u;
    let keys = take(key, mine);
    score = vec3f();
    score2 = vec3f();
    dp = vec3f();
    dp2 = vec3f();
    walk(SCORE, keys);
    walk(DP, take(key + params.dim / 4u, mine));
    weigh(logs, j + 1u < params.tokens);
    walk(SUM, keys);
  }
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    store(at, here.valid, c, 0u);
    store(at, here.valid, c, 1u);
    store(at, here.valid, c, 2u);
    store(at, here.valid, c, 3u);
    shift(OUTPUT);
  }
}
