// Gradient of attention with respect to keys and values where lanes can broadcast: as
// attention_backward_kv.wgsl.
//
// One query after the other is loaded once for all lanes, with the gradient of its output; each lane holds Q keys and
// values.
// Launch: grid(n, 1), 8 invocations in one subgroup and 8 Q keys of a head per workgroup.

@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;

// Vec4 c + i of the keys and values, whose rows begin at `at` and `to`.
fn load(at: vec3u, to: vec3u, c: u32, i: u32) {
  let e = END - 4u + i;
  k0[e] = vec4f(qkv[at.x + c + i]);
  v0[e] = vec4f(qkv[to.x + c + i]);
  if (Q > 1u) {
    k1[e] = vec4f(qkv[at.y + c + i]);
    v1[e] = vec4f(qkv[to.y + c + i]);
  }
  if (Q > 2u) {
    k2[e] = vec4f(qkv[at.z + c + i]);
    v2[e] = vec4f(qkv[to.z + c + i]);
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

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let here = place(wg.y * num.x + wg.x, lane, 8u);
  let width = 3u * params.dim / 4u;
  let mine = own(lane);
  let at = here.row * width + (params.dim + here.head) / 4u;
  let to = at + params.dim / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    shift(INPUT);
    load(at, to, c, 0u);
    load(at, to, c, 1u);
    load(at, to, c, 2u);
    load(at, to, c, 3u);
  }
  var query = here.first * width + here.head / 4u;
  var grad = (here.first * params.dim + here.head) / 4u;
  // Without the lane, which `here` depends on: broadcasts want a loop that is the same for all.
  let sample = (wg.y * num.x + wg.x) / tiles_of(8u);
  for (var i = sample * params.tokens; i < (sample + 1u) * params.tokens; i++) {
    let q0 = vec4f(qkv[query + mine.x]);
    let q1 = vec4f(qkv[query + mine.y]);
    let g0 = dout[grad + mine.x];
    let g1 = dout[grad + mine.y];
    var q2 = vec4f();
    var q3 = vec4f();
    var g2 = vec4f();
    var g3 = vec4f();
    score = vec3f();
    dp = vec3f();
    walk(SCORE, 0u, q0, q1);
    walk(DP, 0u, g0, g1);
    if (BLOCKS > 16u) {
      q2 = vec4f(qkv[query + mine.z]);
      q3 = vec4f(qkv[query + mine.w]);
      g2 = dout[grad + mine.z];
      g3 = dout[grad + mine.w];
      walk(SCORE, 16u, q2, q3);
      walk(DP, 16u, g2, g3);
    }
    weigh(i);
    walk(SUM, 0u, q0, q1);
    walk(SECOND_SUM, 0u, g0, g1);
    if (BLOCKS > 16u) {
      walk(SUM, 16u, q2, q3);
      walk(SECOND_SUM, 16u, g2, g3);
    }
    query += width;
    grad += params.dim / 4u;
  }
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    store(at, to, here.valid, c, 0u);
    store(at, to, here.valid, c, 1u);
    store(at, to, here.valid, c, 2u);
    store(at, to, here.valid, c, 3u);
    shift(OUTPUT);
  }
}
