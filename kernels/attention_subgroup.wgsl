// Multi-head self-attention where lanes can broadcast: as attention.wgsl, with the same scores.
//
// Keys and values are loaded once for all lanes, one by one or in pairs; lanes hold Q queries each.
// Launch: grid(n, 1), LANES invocations in one subgroup and LANES · Q queries of a head per workgroup.

@group(0) @binding(2) var<storage, read_write> out: array<out_vec4>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

// Vec4 c + i of the queries, whose rows begin at `at`; a lane has no part in a load that it has no use for.
fn load(at: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  if (valid.x) { q0[END - 4u + i] = vec4f(qkv[at.x + c + i]); }
  if (Q > 1u) { if (valid.y) { q1[END - 4u + i] = vec4f(qkv[at.y + c + i]); } }
  if (Q > 2u) { if (valid.z) { q2[END - 4u + i] = vec4f(qkv[at.z + c + i]); } }
}

// Vec4 c + i of the outputs, whose rows begin at `at`.
fn store(at: vec3u, valid: vec3<bool>, c: u32, i: u32) {
  let ok = valid & vec3<bool>(c + i < BLOCKS);
  if (ok.x) { out[at.x + c + i] = out_vec4(sum0[i] / total.x); }
  if (Q > 1u) { if (ok.y) { out[at.y + c + i] = out_vec4(sum1[i] / total.y); } }
  if (Q > 2u) { if (ok.z) { out[at.z + c + i] = out_vec4(sum2[i] / total.z); } }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let here = place(wg.y * num.x + wg.x, lane, LANES);
  let width = 3u * params.dim / 4u;
  let mine = own(lane);
  let at = here.row * width + here.head / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    shift(INPUT);
    load(at, here.valid, c, 0u);
    load(at, here.valid, c, 1u);
    load(at, here.valid, c, 2u);
    load(at, here.valid, c, 3u);
  }
  top = vec3f(-3.4028234e38);
  for (var j = 0u; j < params.tokens; j += select(1u, 2u, TWO)) {
    let key = (here.first + own_row(j, lane)) * width + (params.dim + here.head) / 4u;
    score = vec3f();
    score2 = vec3f();
    walk(SCORE, take(key, mine));
    weigh(j + 1u < params.tokens);
    walk(SUM, take(key + params.dim / 4u, mine));
  }
  let to = (here.row * params.dim + here.head) / 4u;
  for (var c = 0u; c < params.head_dim / 4u; c += 4u) {
    store(to, here.valid, c, 0u);
    store(to, here.valid, c, 1u);
    store(to, here.valid, c, 2u);
    store(to, here.valid, c, 3u);
    shift(OUTPUT);
  }
  store_lse(here);
}
