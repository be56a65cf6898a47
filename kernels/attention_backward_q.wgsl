// Gradient of attention with respect to the queries.
//
// With p = exp(scale · (scores − lse)) and delta = Σ dout · out per query (also stored, [B, heads, N], for the
// gradient of keys and values): dq = scale · Σ_j p_j (dout · v_j − delta) k_j, into the q part of
// dqkv [B, N, 3·D] (Dao et al. 2022, arXiv:2205.14135, appendix B.2).
// Launch: grid(n, 1), WIDTH invocations and WIDTH · Q queries of a head per workgroup.

@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> out: array<out_vec4>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<f32>;

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

// Vec4 c + i of the gradients, whose rows begin at `at`.
fn store(at: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let ok = valid & vec3<bool>(c + i < BLOCKS);
  if (ok.x) { put(at.x, c + i, dq0[i]); }
  if (Q > 1u) { if (ok.y) { put(at.y, c + i, dq1[i]); } }
  if (Q > 2u) { if (ok.z) { put(at.z, c + i, dq2[i]); } }
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let here = place(wg.y * num.x + wg.x, local, WIDTH);
  let width = 3u * params.dim;
  let at = here.row * width + here.head;
  let to = here.row * params.dim + here.head;
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    shift(INPUT);
    load(at, to, c, 0u);
    load(at, to, c, 1u);
    load(at, to, c, 2u);
    load(at, to, c, 3u);
  }
  store_delta(here);
  let logs = logs_of(here);
  var key = here.first * width + params.dim + here.head;
  for (var j = 0u; j < params.tokens; j++) {
    score = vec3f();
    dp = vec3f();
    walk(SCORE, false, key);
    walk(DP, true, key + params.dim);
    weigh(logs, false);
    walk(SUM, false, key);
    key += width;
  }
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    store(at, here.valid, c, 0u);
    store(at, here.valid, c, 1u);
    store(at, here.valid, c, 2u);
    store(at, here.valid, c, 3u);
    shift(OUTPUT);
  }
}
