// Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) without the N × N matrix.
//
// qkv [B, N, 3·D], laid out [q | k | v], each [head][head_dim] → out [B, N, D] = softmax(q kᵀ · scale) v,
// lse [B, heads, N] = log Σ exp(scale · scores) / scale, for the backward pass: its probabilities are
// exp(scale · (score − lse)), and scaling last keeps the scores the same to the last bit in every kernel,
// for a difference would be magnified by exp.
// Launch: grid(n, 1), WIDTH invocations and WIDTH · Q queries of a head per workgroup.

@group(0) @binding(2) var<storage, read_write> out: array<out_real>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

// Vec4 c + i of the queries, whose rows begin at `at`.
fn load(at: vec3u, c: u32, i: u32) {
  q0[END - 4u + i] = qkv4(at.x, c + i);
  if (Q > 1u) { q1[END - 4u + i] = qkv4(at.y, c + i); }
  if (Q > 2u) { q2[END - 4u + i] = qkv4(at.z, c + i); }
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
  let here = place(wg.y * num.x + wg.x, local, WIDTH);
  let width = 3u * params.dim;
  let at = here.row * width + here.head;
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    shift(INPUT);
    load(at, c, 0u);
    load(at, c, 1u);
    load(at, c, 2u);
    load(at, c, 3u);
  }
  top = vec3f(-3.4028234e38);
  var key = here.first * width + params.dim + here.head;
  for (var j = 0u; j < params.tokens; j++) {
    score = vec3f();
    walk(SCORE, false, key);
    weigh(false);
    walk(SUM, true, key + params.dim);
    key += width;
  }
  let to = here.row * params.dim + here.head;
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    store(to, here.valid, c, 0u);
    store(to, here.valid, c, 1u);
    store(to, here.valid, c, 2u);
    store(to, here.valid, c, 3u);
    shift(OUTPUT);
  }
  store_lse(here);
}
