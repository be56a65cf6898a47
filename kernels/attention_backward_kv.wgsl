// Gradient of attention with respect to keys and values.
//
// dk = scale · Σ_i p_i (dout_i · v − delta_i) q_i, dv = Σ_i p_i dout_i, into the k and v parts of
// dqkv [B, N, 3·D]; lse and delta as attention and attention_backward_q left them.
// Launch: grid(n, 1), WIDTH invocations and WIDTH · Q keys of a head per workgroup.

@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;

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
  let here = place(wg.y * num.x + wg.x, local, WIDTH);
  let width = 3u * params.dim;
  let at = here.row * width + params.dim + here.head;
  let to = at + params.dim;
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    shift(INPUT);
    load(at, to, c, 0u);
    load(at, to, c, 1u);
    load(at, to, c, 2u);
    load(at, to, c, 3u);
  }
  var query = here.first * width + here.head;
  var grad = here.first * params.dim + here.head;
  for (var j = 0u; j < params.tokens; j++) {
    score = vec3f();
    dp = vec3f();
    walk(SCORE, false, query);
    walk(DP, true, grad);
    let i = here.sample * params.tokens + j;
    weigh(vec2f(lse[i]), vec2f(delta[i]), false);
    walk(SUM, false, query);
    walk(SECOND_SUM, true, grad);
    query += width;
    grad += params.dim;
  }
  for (var c = 0u; 4u * c < params.head_dim; c += 4u) {
    store(at, to, here.valid, c, 0u);
    store(at, to, here.valid, c, 1u);
    store(at, to, here.valid, c, 2u);
    store(at, to, here.valid, c, 3u);
    shift(OUTPUT);
  }
}
